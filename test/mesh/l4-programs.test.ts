// Real programs that were never told of a mesh, through two sidecars with real rules: web server, cache, a database
// whose server speaks first, mail, TLS that is not ours, plain pipes; bytes exact in both directions.

import { createHash } from 'node:crypto'
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l4-programs'

const SERVICES = {
  web: 80,
  redis: 6379,
  database: 3306,
  mail: 25,
  tls: 443,
  pipe: 9000,
}
const TARGETS: Readonly<Record<string, number>> = { web: 8080, mail: 2525, tls: 8443 }
const MEGABYTE = 1_048_576

t.test('l4: programs', { skip }, async (t) => {
  const mesh = await Mesh.open(t, { mode: 'l4' })
  const [client, server] = await Promise.all([mesh.meshed('client'), mesh.meshed('server')])
  const address = (name: string): string => `198.19.0.${Object.keys(SERVICES).indexOf(name) + 10}`
  const endpoints = [{ ip: server.ip }]
  await mesh.publish(
    'programs.yaml',
    Object.entries(SERVICES).flatMap(([name, port]) => {
      const target = TARGETS[name] ?? port
      return service({ name, ips: [address(name)], port, target, endpoints })
    }),
  )
  const home = join(mesh.folder, 'home')
  mkdirSync(home)
  chownSync(home, APP_UID, APP_UID)
  const bulk = join(home, 'bulk')
  await server.run('sh', '-c', `head -c ${200 * MEGABYTE} /dev/urandom > ${bulk}`)
  const digest = createHash('sha256').update(readFileSync(bulk)).digest('hex')
  const listens = async (port: number): Promise<void> => {
    await until(`somebody on ${port}`, async () => {
      return (await server.root('ss', '-ltnH', `sport = :${port}`)) !== ''
    })
  }

  await t.test('l4: 200 MB from nginx arrive as they are', async (t) => {
    const config = join(home, 'nginx.conf')
    const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const temp = folders.map((name) => `${name}_temp_path ${home}/${name};`).join(' ')
    const site = `server { listen 8080; listen [::]:8080; root ${home}; location = /who { return 200 "$remote_addr"; } }`
    writeFileSync(
      config,
      `daemon off; pid ${home}/nginx.pid; error_log stderr; events {} http { access_log off; ${temp} ${site} }`,
    )
    server.pod.start(APP_UID, ['nginx', '-e', 'stderr', '-c', config])
    await listens(8080)
    const fetch = `curl -sS -m 30 http://${address('web')}/bulk | sha256sum`
    t.match((await client.run('sh', '-c', fetch)).stdout, digest)
    const direct = `curl -sS -m 30 'http://[${server.ip6}]:8080/bulk' | sha256sum`
    t.match((await client.run('sh', '-c', direct)).stdout, digest, 'and over IPv6')
    const both = { service: 'web.default:80' }
    t.ok((await client.sidecar.metric('underpass_tcp_sent_bytes_total', both)) > 200 * MEGABYTE)
    const who = await client.run('curl', '-sS', '-m', '5', `http://${address('web')}/who`)
    t.equal(who.stdout, server.ip, "the application sees its own pod's address")
  })

  await t.test('l4: 200 MB into a pipe arrive as they are, and the end with them', async (t) => {
    const sink = server.pod.start(APP_UID, ['sh', '-c', 'nc -l 9000 | sha256sum'])
    await listens(9000)
    const done = await client.run('sh', '-c', `nc -N ${address('pipe')} 9000 < ${bulk}`)
    t.equal(done.code, 0)
    const { stdout } = await sink.finish()
    t.match(stdout, digest)
  })

  await t.test('l4: redis, a value of 10 MB, and its own benchmark', async (t) => {
    const quiet = ['--save', '', '--appendonly', 'no', '--protected-mode', 'no', '--dir', home]
    server.pod.start(APP_UID, [
      'redis-server',
      '--port',
      '6379',
      '--bind',
      '0.0.0.0',
      '::',
      ...quiet,
    ])
    await listens(6379)
    const to = ['-h', address('redis')]
    t.equal((await client.run('redis-cli', ...to, 'PING')).stdout, 'PONG\n')
    t.equal((await client.run('redis-cli', ...to, 'SET', 'word', 'carried')).stdout, 'OK\n')
    t.equal((await client.run('redis-cli', ...to, 'GET', 'word')).stdout, 'carried\n')
    const size = 10 * MEGABYTE
    const put = `head -c ${size} ${bulk} | base64 -w0 | redis-cli ${to.join(' ')} -x SET big`
    t.equal((await client.run('sh', '-c', put)).stdout, 'OK\n')
    const get = `redis-cli ${to.join(' ')} GET big | head -c -1 | base64 -d | cmp -n ${size} - ${bulk} && echo same`
    t.equal((await client.run('sh', '-c', get)).stdout, 'same\n')
    const load = ['-n', '5000', '-c', '20', '-P', '4', '-t', 'get,set', '--csv']
    const benchmark = await client.run('redis-benchmark', ...to, ...load)
    t.equal(benchmark.code, 0, benchmark.stderr)
    t.match(benchmark.stdout, /"GET","\d/)
  })

  await t.test('l4: a database whose server speaks first', async (t) => {
    const data = join(home, 'database')
    const install = ['mariadb-install-db', '--no-defaults', `--datadir=${data}`]
    const made = await server.run(...install, '--auth-root-authentication-method=normal')
    t.equal(made.code, 0, made.stderr)
    const flags = ['--no-defaults', `--datadir=${data}`, `--socket=${home}/db.sock`]
    const more = [
      '--port=3306',
      '--skip-grant-tables',
      '--skip-networking=0',
      '--bind-address=0.0.0.0',
    ]
    server.pod.start(APP_UID, ['mariadbd', ...flags, ...more, `--pid-file=${home}/db.pid`])
    await listens(3306)
    const to = ['--no-defaults', '-h', address('database'), '-u', 'root', '--skip-ssl', '-N', '-B']
    const first = await client.run('mariadb', ...to, '-e', 'SELECT 6 * 7')
    t.equal(first.stdout, '42\n', first.stderr)
    const rows = 'SELECT SUM(LENGTH(REPEAT("x", 1000))) FROM mysql.seq_1_to_5000'
    const sum = await client.run('mariadb', ...to, '-e', rows)
    t.equal(sum.stdout, '5000000\n', sum.stderr)
  })

  await t.test('l4: mail', async (t) => {
    const post = await server.agent.listen(2525, { greeting: '220 post.test ESMTP\r\n' })
    const letter = client.run(
      'sh',
      '-c',
      `printf 'HELO me\\r\\nQUIT\\r\\n' | nc -N ${address('mail')} 25`,
    )
    const visitor = await post.connection(0)
    await visitor.reads('QUIT\r\n')
    visitor.write('250 post.test\r\n221 bye\r\n')
    visitor.do('end')
    t.equal((await letter).stdout, '220 post.test ESMTP\r\n250 post.test\r\n221 bye\r\n')
  })

  await t.test("l4: the application's own TLS passes untouched", async (t) => {
    const files = [`-keyout`, `${home}/key.pem`, '-out', `${home}/cert.pem`]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', '/CN=shop.test']
    await server.run('openssl', 'req', '-x509', '-nodes', '-days', '2', ...kind, ...files)
    const pair = ['-key', `${home}/key.pem`, '-cert', `${home}/cert.pem`]
    server.pod.start(APP_UID, ['openssl', 's_server', '-accept', '8443', '-www', ...pair])
    await listens(8443)
    const to = ['-connect', `${address('tls')}:443`, '-CAfile', `${home}/cert.pem`]
    const name = ['-verify_return_error', '-verify_hostname', 'shop.test', '-brief']
    const done = await client.run('openssl', 's_client', ...to, ...name)
    t.match(`${done.stdout}${done.stderr}`, /Verification: OK/)
    t.match(`${done.stdout}${done.stderr}`, /TLSv1\.3/)
    const { stdout } = await client.run(
      'openssl',
      'x509',
      '-in',
      `${home}/cert.pem`,
      '-noout',
      '-fingerprint',
    )
    const seen = `openssl s_client ${to.join(' ')} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint`
    t.equal((await client.run('sh', '-c', seen)).stdout, stdout, 'the very certificate')
  })

  await t.test('l4: nothing of that failed anywhere', async (t) => {
    for (const { sidecar } of [client, server]) {
      t.same(sidecar.find({ level: 'error' }), [])
      t.equal(await sidecar.metric('underpass_tcp_connect_failures_total'), 0)
    }
  })
})
