// What is not HTTP/1.1 passes mode l7 untouched and at once: a cache, a database whose server speaks first, mail, TLS
// that is not ours, HTTP/2; and nothing of it is counted as a request.

import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l7-opaque'

const PORTS = { redis: 6379, database: 3306, mail: 2525, tls: 8443, raw: 9000 }

t.test('l7: opaque', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const config = { mode: 'l7' }
  const [client, server] = await Promise.all([
    mesh.meshed('client', { config }),
    mesh.meshed('server', { config }),
  ])
  const names = Object.keys(PORTS)
  const at = (name: string): string => `198.19.0.${names.indexOf(name) + 10}`
  const at6 = (name: string): string => `fd00:1::${names.indexOf(name) + 10}`
  const endpoints = [{ ip: server.ip }]
  const services = Object.entries(PORTS).flatMap(([name, port]) =>
    service({ name, ips: [at(name), at6(name)], port, endpoints }),
  )
  await mesh.publish('opaque.yaml', services)
  const home = join(mesh.folder, 'home')
  mkdirSync(home)
  chownSync(home, APP_UID, APP_UID)
  const starts = async (port: number, ...command: string[]): Promise<void> => {
    server.pod.start(APP_UID, command)
    await until(`somebody on ${port}`, async () => {
      return (await server.root('ss', '-ltnH', `sport = :${port}`)) !== ''
    })
  }
  const shell = async (command: string): Promise<string> =>
    (await client.run('sh', '-c', command)).stdout

  await t.test('l7: redis, whose client speaks first', async (t) => {
    const quiet = ['--save', '', '--appendonly', 'no', '--protected-mode', 'no', '--dir', home]
    await starts(PORTS.redis, 'redis-server', ...quiet, '--bind', '0.0.0.0', '::')
    for (const ip of [at('redis'), at6('redis')]) {
      t.equal(await shell(`redis-cli -h ${ip} SET word carried`), 'OK\n')
      t.equal(await shell(`redis-cli -h ${ip} GET word`), 'carried\n')
    }
    const inline = `printf 'GET word\\r\\nQUIT\\r\\n' | nc -N ${at('redis')} ${PORTS.redis}`
    t.equal(await shell(inline), '$7\r\ncarried\r\n+OK\r\n', 'a line that begins as HTTP does')
    const load = ['-n', '2000', '-c', '20', '-t', 'get,set', '--csv']
    const { code, stderr } = await client.run('redis-benchmark', '-h', at('redis'), ...load)
    t.equal(code, 0, stderr)
  })

  await t.test('l7: a database whose server speaks first', async (t) => {
    const data = join(home, 'database')
    const install = ['mariadb-install-db', '--no-defaults', `--datadir=${data}`]
    const made = await server.run(...install, '--auth-root-authentication-method=normal')
    t.equal(made.code, 0, made.stderr)
    const flags = ['--no-defaults', `--datadir=${data}`, `--socket=${home}/db.sock`]
    const more = ['--skip-grant-tables', '--skip-networking=0', '--bind-address=*']
    await starts(PORTS.database, 'mariadbd', ...flags, ...more, `--pid-file=${home}/db.pid`)
    for (const ip of [at('database'), at6('database')]) {
      const to = ['--no-defaults', '-h', ip, '-u', 'root', '--skip-ssl', '-N', '-B']
      const rows = 'SELECT SUM(LENGTH(REPEAT("x", 1000))) FROM mysql.seq_1_to_5000'
      const { stdout, stderr } = await client.run('mariadb', ...to, '-e', rows)
      t.equal(stdout, '5000000\n', stderr)
    }
  })

  await t.test('l7: a server that speaks first is heard at once', async (t) => {
    await server.agent.listen(PORTS.mail, { greeting: '220 post.test ESMTP\r\n' })
    const took: number[] = []
    for (let round = 0; round < 10; round += 1) {
      const start = performance.now()
      const socket = await client.agent.connect(at('mail'), PORTS.mail)
      await socket.reads('220 post.test ESMTP\r\n')
      took.push(performance.now() - start)
      socket.do('reset')
    }
    const median = took.sort((one, other) => one - other)[5] ?? Infinity
    t.ok(median < 40, `${median} ms, less than any timer`)
    t.comment(`a greeting takes ${median.toFixed(1)} ms`)
  })

  await t.test('l7: TLS, with HTTP inside that is not ours to see', async (t) => {
    const files = ['-keyout', `${home}/key.pem`, '-out', `${home}/cert.pem`]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', '/CN=shop.test']
    const alternative = ['-addext', 'subjectAltName=DNS:shop.test']
    await server.run(
      'openssl',
      'req',
      '-x509',
      '-nodes',
      '-days',
      '2',
      ...kind,
      ...alternative,
      ...files,
    )
    const pair = ['-key', `${home}/key.pem`, '-cert', `${home}/cert.pem`]
    await starts(PORTS.tls, 'openssl', 's_server', '-accept', `${PORTS.tls}`, '-www', ...pair)
    const to = ['-connect', `${at('tls')}:${PORTS.tls}`, '-CAfile', `${home}/cert.pem`, '-brief']
    const done = await client.run('openssl', 's_client', ...to, '-verify_return_error')
    t.match(`${done.stdout}${done.stderr}`, /Verification: OK/)
    const resolve = `--resolve shop.test:${PORTS.tls}:${at('tls')} --cacert ${home}/cert.pem`
    const page = await shell(`curl -sS -m 10 ${resolve} https://shop.test:${PORTS.tls}/`)
    t.match(page, /TLSv1\.3/)
  })

  await t.test('l7: pieces, half a method, silence', async (t) => {
    const listener = await server.agent.listen(PORTS.raw)
    const carries = async (pieces: readonly string[]): Promise<void> => {
      const count = listener.accepted.length
      const near = await client.agent.connect(at('raw'), PORTS.raw)
      const far = await listener.connection(count)
      for (const piece of pieces) near.write(piece)
      near.do('end')
      await until('the end', () => far.ended)
      t.equal(far.text, pieces.join(''), JSON.stringify(pieces.join('')).slice(0, 30))
      far.write('understood')
      far.do('end')
      await near.reads('understood')
      t.equal(await near.over(), '')
    }
    await carries(['GE'])
    await carries(['\x16\x03\x01', '\x02\0'])
    await carries([])
    await carries(['*1\r\n$4\r\nPING\r\n'])
  })

  await t.test('l7: nothing of that was taken for a request, and nothing failed', async (t) => {
    for (const { sidecar } of [client, server]) {
      t.equal(await sidecar.metric('underpass_http_requests_total'), 0)
      t.equal(await sidecar.metric('underpass_http_refused_total'), 0)
      t.same(sidecar.find({ level: 'error' }), [])
      t.equal(await sidecar.metric('underpass_tcp_connect_failures_total'), 0)
    }
  })
})
