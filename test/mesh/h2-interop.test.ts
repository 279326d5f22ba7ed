// Real clients and servers of HTTP/2 that were never told of a mesh, through two sidecars with real rules: curl, nghttp,
// h2load and Node.js; nghttpd, nginx, HAProxy and Node.js; and those of HTTP/1.1 on either side of them.

import { createHash } from 'node:crypto'
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Conversation } from '../../demo/conversation.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'
import { WebServer } from '../support/web-server.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/h2-interop'

const MEGABYTE = 1_048_576
const SIZE = 20 * MEGABYTE
const REQUESTS = 'underpass_http_requests_total'
const FAILURES = 'underpass_http_request_failures_total'
const PORTS = { nginx: 8080, plain: 8081, nghttpd: 8082, node: 8083, haproxy: 8084, web: 8085 }
type Name = keyof typeof PORTS
/** What their Services say that they speak; by themselves they speak HTTP/2, but for `plain` and `web`. */
const DECLARED: Readonly<Record<Name, string>> = {
  ...{ nginx: 'kubernetes.io/h2c', plain: 'http', nghttpd: 'h2c' },
  ...{ node: 'http2', haproxy: 'h2c', web: 'http' },
}
const SPEAK_HTTP2: readonly Name[] = ['nginx', 'nghttpd', 'node', 'haproxy']
const PRIOR = '--http2-prior-knowledge'

t.test('h2: programs', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, server] = await Promise.all([mesh.meshed('client'), mesh.meshed('server')])
  const names = Object.keys(PORTS) as Name[]
  const endpoints = [{ ip: server.ip }]
  const services = names.flatMap((name, at) => {
    const target = PORTS[name]
    const about = { port: 80, target, endpoints }
    const declared = { ...about, name, ips: [`198.19.0.${at + 10}`], appProtocol: DECLARED[name] }
    const looked = { ...about, name: `${name}-looked`, ips: [`198.19.0.${at + 20}`] }
    return [...service(declared), ...service(looked)]
  })
  await mesh.publish('programs.yaml', services)
  /** Of the Service that says what it speaks. */
  const url = (name: Name): string => `http://198.19.0.${names.indexOf(name) + 10}`
  /** Of the one that says nothing. */
  const looked = (name: Name): string => `http://198.19.0.${names.indexOf(name) + 20}`
  const home = join(mesh.folder, 'home')
  mkdirSync(home)
  chownSync(home, APP_UID, APP_UID)
  const [bulk, small] = [join(home, 'bulk'), join(home, 'small')]
  await server.run('sh', '-c', `head -c ${SIZE} /dev/urandom > ${bulk}`)
  const digest = createHash('sha256').update(readFileSync(bulk)).digest('hex')
  writeFileSync(small, 'a small file\n')
  const shell = async (command: string): Promise<string> => {
    const { stdout, stderr } = await client.run('sh', '-c', command)
    return `${stdout}${stderr}`
  }
  const curl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await client.run('curl', '-sS', '-m', '30', ...args)
    if (code !== 0) throw new Error(`curl ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  const starts = async (port: number, ...command: string[]): Promise<void> => {
    const child = server.pod.start(APP_UID, command)
    await until(`somebody on ${port}`, async () => {
      if (child.exit !== undefined) throw new Error(child.describe())
      return (await server.root('ss', '-ltnH', `sport = :${port}`)) !== ''
    })
  }
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${home}/${name};`)
    .join(' ')
  const sites = `server { listen ${PORTS.nginx} http2; root ${home}; } server { listen ${PORTS.plain}; root ${home}; }`
  const http = `http { access_log off; keepalive_requests 1000000; ${temp} ${sites} }`
  const nginx = join(home, 'nginx.conf')
  writeFileSync(nginx, `daemon off; pid ${home}/nginx.pid; error_log stderr; events {} ${http}`)
  const haproxy = join(home, 'haproxy.cfg')
  const lines = [
    ...['global', 'defaults', ' mode http', ' timeout connect 5s', ' timeout client 30s'],
    ...[' timeout server 30s', 'frontend f', ` bind :${PORTS.haproxy} proto h2`],
    ...[' default_backend b', 'backend b', ` server s 127.0.0.1:${PORTS.plain}`, ''],
  ]
  writeFileSync(haproxy, lines.join('\n'))
  const nghttpd = ['--no-tls', '-d', home, '--trailer', 'x-behind: nghttpd', '--echo-upload']
  await Promise.all([
    starts(PORTS.nginx, 'nginx', '-e', 'stderr', '-c', nginx),
    starts(PORTS.haproxy, 'haproxy', '-db', '-f', haproxy),
    starts(PORTS.nghttpd, 'nghttpd', ...nghttpd, `${PORTS.nghttpd}`),
    starts(PORTS.node, 'node', 'build/test/support/h2-program.js', 'node', `${PORTS.node}`),
    WebServer.start(mesh, server, PORTS.web),
  ])

  await t.test('h2: curl to every server, declared and looked at', async (t) => {
    const files = SPEAK_HTTP2.filter((name) => name !== 'node')
    for (const name of files) {
      for (const at of [url(name), looked(name)]) {
        const version = ['-w', '%{http_version} %{http_code}']
        t.equal(await curl(PRIOR, ...version, `${at}/small`), 'a small file\n2 200', name)
        t.match(await shell(`curl -sS -m 30 ${PRIOR} ${at}/bulk | sha256sum`), digest, name)
        t.match(await curl(PRIOR, '-I', `${at}/small`), /^HTTP\/2 200 [\s\S]*content-length: 13\r/)
        t.equal(await curl(PRIOR, '-o', '/dev/null', ...version, `${at}/none`), '2 404')
      }
    }
  })

  await t.test('h2: uploads arrive as they are, and come back', async (t) => {
    for (const at of [url('node'), looked('node')]) {
      const sum = await curl(PRIOR, '-H', 'Expect:', '--data-binary', `@${bulk}`, `${at}/sum`)
      t.equal(sum, `${SIZE} ${digest}`)
      const back = `curl -sS -m 30 ${PRIOR} -H Expect: --data-binary @${bulk} ${at}/echo`
      t.match(await shell(`${back} | sha256sum`), digest)
    }
    const echo = `curl -sS -m 30 ${PRIOR} -H Expect: --data-binary @${bulk} ${url('nghttpd')}/x`
    t.match(await shell(`${echo} | sha256sum`), digest, 'nghttpd')
  })

  await t.test('h2: nghttp, with trailers both ways', async (t) => {
    for (const at of [url('nghttpd'), looked('nghttpd')]) {
      const got = await shell(`nghttp -v ${at}/small`)
      t.match(got, /:status: 200/)
      t.match(got, /a small file/)
      t.match(got, /x-behind: nghttpd/)
      const fetch = `nghttp -m 5 ${at}/bulk`
      const whole = createHash('sha256')
      for (let times = 0; times < 5; times += 1) whole.update(readFileSync(bulk))
      t.ok((await shell(`${fetch} | wc -c`)).startsWith(`${5 * SIZE}`), 'five at once')
    }
    const flags = `-v -d ${small} --trailer 'x-before: nghttp'`
    for (const at of [url('node'), looked('node')]) {
      const got = await shell(`nghttp ${flags} ${at}/sum`)
      t.match(got, /:status: 200/)
      t.match(got, /x-counted: 13/)
      t.match(got, /x-heard: nghttp/, 'the server had those of the client')
    }
  })

  await t.test('h2: h2load without one error', async (t) => {
    for (const at of [url('nginx'), looked('nginx'), url('nghttpd'), url('haproxy')]) {
      const said = await shell(`h2load -n 2000 -c 4 -m 25 ${at}/small`)
      t.match(said, / 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/, at)
      t.match(said, /status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx/)
    }
  })

  await t.test('h2: Node.js as client, streams at once on one connection', async (t) => {
    for (const at of [url('node'), looked('node')]) {
      const program = ['node', 'build/test/support/h2-streams-program.js', at]
      const talk = new Conversation(client.pod.start(APP_UID, program))
      t.match(await talk.ask(`bulk 20 ${MEGABYTE}`), { whole: 20 })
      await talk.ask('open 50')
      await talk.ask('say 1000')
      t.same(await talk.ask('end'), { whole: 50 })
    }
  })

  await t.test('h2: clients of HTTP/1.1 to servers of HTTP/2', async (t) => {
    for (const name of ['nghttpd', 'nginx', 'haproxy'] as const) {
      const to = url(name)
      const version = ['-w', '%{http_version} %{http_code}']
      t.equal(await curl('--http1.1', ...version, `${to}/small`), 'a small file\n1.1 200', name)
      t.match(await shell(`curl -sS -m 30 --http1.1 ${to}/bulk | sha256sum`), digest)
      t.match(await curl('--http1.1', '-I', `${to}/small`), /content-length: 13\r/i)
      t.equal(await curl('-0', `${to}/small`), 'a small file\n', 'HTTP/1.0')
    }
    const asking = ['--http1.1', '-H', 'TE: trailers', '-H', 'Connection: TE', '-i']
    const got = await curl(...asking, '-d', 'abc', `${url('node')}/sum`)
    t.match(got, /\r\n\r\n3 [0-9a-f]{64}x-counted: 3\r/i, 'trailers')
    for (const flags of ['', '-H "Transfer-Encoding: chunked"']) {
      const send = `curl -sS -m 30 --http1.1 -H Expect: ${flags} --data-binary @${bulk}`
      t.equal(await shell(`${send} ${url('node')}/sum`), `${SIZE} ${digest}`, flags)
      t.match(await shell(`${send} ${url('node')}/echo | sha256sum`), digest)
    }
  })

  await t.test('h2: clients of HTTP/2 to servers of HTTP/1.1', async (t) => {
    const said = await shell(`h2load -n 2000 -c 4 -m 25 ${url('plain')}/small`)
    t.match(said, / 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/)
    t.match(said, /status codes: 2000 2xx/)
    t.match(await shell(`curl -sS -m 30 ${PRIOR} ${url('plain')}/bulk | sha256sum`), digest)
    t.match(await shell(`nghttp -v ${url('plain')}/small`), /:status: 200[\s\S]*a small file/)
    const send = ['-H', 'Expect:', '--data-binary', `@${bulk}`, `${url('web')}/sum`]
    t.equal(await curl(PRIOR, ...send), `${SIZE} ${digest}`)
    const piped = `cat ${bulk} | curl -sS -m 30 ${PRIOR} -H Expect: -T - ${url('web')}/sum`
    t.equal(await shell(piped), `${SIZE} ${digest}`, 'of no known length')
    t.match(await shell(`nghttp -d ${small} --trailer 'x-a: b' ${url('web')}/sum`), /^13 /)
  })

  await t.test('h2: 100-continue, in every pair of versions', async (t) => {
    const sum = createHash('sha256').update('a small file\n').digest('hex')
    for (const [flag, name] of [
      [PRIOR, 'web'],
      ['--http1.1', 'node'],
      [PRIOR, 'node'],
    ] as const) {
      const expecting = ['-v', flag, '-H', 'Expect: 100-continue', '--data-binary', `@${small}`]
      const command = ['curl', '-sS', '-m', '10', ...expecting, `${url(name)}/sum`]
      const { stdout, stderr } = await client.run(...command)
      t.equal(stdout, `13 ${sum}`, `${flag} to ${name}`)
      t.match(stderr, /< HTTP\/(1\.1|2) 100[\s\S]*< HTTP\/(1\.1|2) 200/)
    }
  })

  await t.test('h2: a WebSocket on a Service that is declared to be http', async (t) => {
    const to = `${url('web').replace('http', 'ws')}/echo`
    const program = ['node', 'build/test/support/websocket-program.js', to, '40']
    t.equal((await client.run(...program)).stdout, '40 4001\n')
  })

  await t.test('h2: nothing of that failed anywhere', async (t) => {
    for (const { sidecar } of [client, server]) {
      t.same(sidecar.find({ level: 'error' }), [])
      const warnings = sidecar.find({ level: 'warn' })
      t.same(
        warnings.filter(({ event }) => event !== 'limit-lowered'),
        [],
      )
      for (const status of ['0', '502', '503', '504'])
        t.equal(await sidecar.metric(REQUESTS, { status }), 0, `status ${status}`)
      t.equal(await sidecar.metric(FAILURES), 0)
      t.equal(await sidecar.metric('underpass_http_refused_total'), 0)
      t.equal(await sidecar.metric('underpass_http2_limits_exceeded_total'), 0)
      t.equal(await sidecar.metric('underpass_http2_open_streams'), 0)
    }
  })
})
