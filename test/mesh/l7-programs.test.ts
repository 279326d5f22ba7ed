// Real web servers and real clients that were never told of a mesh, request by request through two sidecars with real
// rules: nginx, Apache, Node.js, Python; curl with what curl can do, and a load generator.

import { createHash } from 'node:crypto'
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'
import { WebServer } from '../support/web-server.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l7-programs'

const PORTS = { nginx: 8080, node: 8081, python: 8082, apache: 8083 }
const MEGABYTE = 1_048_576
const REQUESTS = 'underpass_http_requests_total'

t.test('l7: programs', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, server] = await Promise.all([mesh.meshed('client'), mesh.meshed('server')])
  const names = Object.keys(PORTS)
  const ips = names.map((_, at) => [`198.19.0.${at + 10}`, `fd00:1::${at + 10}`])
  const url = (name: string, family = 0): string => {
    const ip = ips[names.indexOf(name)]?.[family] ?? ''
    return ip.includes(':') ? `http://[${ip}]` : `http://${ip}`
  }
  const endpoints = [{ ip: server.ip }]
  const services = Object.entries(PORTS).flatMap(([name, target], at) =>
    service({ name, ips: ips[at] ?? [], port: 80, target, endpoints }),
  )
  await mesh.publish('programs.yaml', services)
  const home = join(mesh.folder, 'home')
  mkdirSync(home)
  chownSync(home, APP_UID, APP_UID)
  const bulk = join(home, 'bulk')
  await server.run('sh', '-c', `head -c ${200 * MEGABYTE} /dev/urandom > ${bulk}`)
  const content = readFileSync(bulk)
  const digest = createHash('sha256').update(content).digest('hex')
  const half = createHash('sha256')
    .update(content.subarray(0, 100 * MEGABYTE))
    .digest('hex')
  const small = join(home, 'small')
  writeFileSync(small, 'a small file\n')
  const curl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await client.run('curl', '-sS', '-m', '30', ...args)
    if (code !== 0) throw new Error(`curl ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  const listens = async (port: number): Promise<void> => {
    await until(`somebody on ${port}`, async () => {
      return (await server.root('ss', '-ltnH', `sport = :${port}`)) !== ''
    })
  }
  const starts = async (port: number, ...command: string[]): Promise<void> => {
    server.pod.start(APP_UID, command)
    await listens(port)
  }
  /** What `task` adds to the memory of each sidecar, in KiB. */
  const growth = async (task: () => Promise<void>): Promise<number[]> => {
    const both = [client.sidecar, server.sidecar]
    const before = both.map(({ rss }) => rss)
    await task()
    return both.map(({ rss }, at) => rss - (before[at] ?? 0))
  }
  const shell = async (command: string): Promise<string> =>
    (await client.run('sh', '-c', command)).stdout

  await t.test('l7: nginx: 200 MB arrive as they are, at flat memory', async (t) => {
    const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const temp = folders.map((name) => `${name}_temp_path ${home}/${name};`).join(' ')
    const site = `server { listen ${PORTS.nginx}; listen [::]:${PORTS.nginx}; root ${home}; }`
    const config = join(home, 'nginx.conf')
    const http = `http { access_log off; keepalive_requests 1000000; ${temp} ${site} }`
    writeFileSync(config, `daemon off; pid ${home}/nginx.pid; error_log stderr; events {} ${http}`)
    await starts(PORTS.nginx, 'nginx', '-e', 'stderr', '-c', config)
    await curl(`${url('nginx')}/small`)
    const grown = await growth(async () => {
      for (const family of [0, 1]) {
        const fetch = `curl -sS -m 30 '${url('nginx', family)}/bulk' | sha256sum`
        t.match(await shell(fetch), digest, family === 0 ? 'over IPv4' : 'over IPv6')
      }
    })
    t.ok(Math.max(...grown) < 40_960, `KiB more after 400 MB: ${grown.join(', ')}`)
    t.comment(`KiB more after 400 MB: ${grown.join(', ')}`)
    const labels = { service: 'nginx.default:80' }
    const bytes = await client.sidecar.metric('underpass_http_response_bytes_total', labels)
    const heads = bytes - 2 * content.length - readFileSync(small).length
    t.ok(heads > 300 && heads < 3000, `every byte is counted, and those of three heads: ${heads}`)
  })

  await t.test(
    'l7: nginx: ranges, HEAD, not modified, several URLs on one connection',
    async (t) => {
      const place = `${url('nginx')}/small`
      t.equal(await curl('-r', '2-6', place), 'small')
      t.match(await curl('-I', place), /^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: 13\r\n/)
      const date = /Last-Modified: (.*)\r/.exec(await curl('-I', place))?.[1] ?? ''
      const condition = ['-H', `If-Modified-Since: ${date}`, '-w', '%{http_code}']
      t.equal(await curl(...condition, place), '304')
      t.match(await curl('-0', '-i', place), /a small file\n$/, 'HTTP/1.0')
      const many = await curl('-w', '%{num_connects} ', place, `${place}?2`, `${place}?3`, place)
      t.equal(many.replaceAll('a small file\n', ''), '1 0 0 0 ')
      t.equal(await curl('-o', '/dev/null', '-w', '%{http_code}', `${place}/no`), '404')
    },
  )

  await t.test('l7: Node.js: uploads of 100 MB arrive as they are, at flat memory', async (t) => {
    await WebServer.start(mesh, server, PORTS.node)
    const to = `${url('node')}/sum`
    await curl('-d', 'warm', to)
    const first = `head -c ${100 * MEGABYTE} ${bulk}`
    const send = `curl -sS -m 30 -H 'Expect:'`
    const grown = await growth(async () => {
      const chunked = await shell(`${first} | ${send} -T - ${to}`)
      t.equal(chunked, `${100 * MEGABYTE} ${half}`, 'chunked')
      await shell(`${first} > ${home}/half`)
      const sized = await shell(`${send} --data-binary @${home}/half ${to}`)
      t.equal(sized, `${100 * MEGABYTE} ${half}`, 'with Content-Length')
    })
    t.ok(Math.max(...grown) < 40_960, `KiB more after 200 MB: ${grown.join(', ')}`)
    t.comment(`KiB more after 200 MB: ${grown.join(', ')}`)
  })

  await t.test('l7: Node.js: Expect, methods, header fields as they were written', async (t) => {
    const to = url('node')
    const sum = createHash('sha256').update('a small file\n').digest('hex')
    const expecting = ['-v', '-H', 'Expect: 100-continue', '--data-binary', `@${small}`]
    const { stdout, stderr } = await client.run('curl', '-sS', ...expecting, `${to}/sum`)
    t.equal(stdout, `13 ${sum}`)
    t.match(stderr, /< HTTP\/1\.1 100 Continue\r[\s\S]*< HTTP\/1\.1 200 OK\r/)
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
      t.equal(await curl('-X', method, `${to}/`), 'server', method)
    }
    const odd = ['-H', 'X-oDd-CaSe: As It Is', '-H', 'x-twice: 1', '-H', 'x-twice: 2']
    const seen = JSON.parse(await curl(...odd, `${to}/headers`)) as string[]
    const pairs = seen.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${seen[at + 1]}`] : []))
    const host = to.slice('http://'.length)
    const agent = pairs.find((pair) => pair.startsWith('User-Agent: curl/')) ?? ''
    const sent = [`Host: ${host}`, agent, 'Accept: */*']
    t.same(pairs.slice(0, 6), [...sent, 'X-oDd-CaSe: As It Is', 'x-twice: 1', 'x-twice: 2'])
    t.same(pairs.slice(6), [], 'and nothing is added')
    for (const code of [201, 204, 301, 404, 418, 503]) {
      const status = await curl(
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        `${to}/status?code=${code}`,
      )
      t.equal(status, `${code}`)
    }
  })

  await t.test('l7: Python: HTTP/1.0 responses that end with their connection', async (t) => {
    const script = `
import http.server
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != '/stream': return super().do_GET()
        self.send_response(200); self.end_headers()
        for i in range(1000): self.wfile.write(b'x' * 1000)
http.server.ThreadingHTTPServer(('', ${PORTS.python}), Handler).serve_forever()`
    server.pod.start(APP_UID, ['sh', '-c', `cd ${home} && exec /usr/bin/python3 -c "$0"`, script])
    await listens(PORTS.python)
    const to = url('python')
    t.equal(await curl(`${to}/small`), 'a small file\n')
    t.equal(await shell(`curl -sS -m 30 ${to}/stream | wc -c`), '1000000\n', 'without a length')
    const twice = await curl('-w', '%{num_connects} ', `${to}/small`, `${to}/small`)
    t.equal(twice, 'a small file\n1 a small file\n0 ', 'the client keeps its connection')
    t.match(
      await curl('-I', `${to}/small`),
      /^HTTP\/1\.\d 200 OK\r\n[\s\S]*Content-Length: 13\r\n/i,
    )
    t.match(await shell(`curl -sS -m 30 ${to}/bulk | sha256sum`), digest)
  })

  await t.test('l7: Apache', async (t) => {
    const modules = ['mpm_event', 'authz_core'].map((name) => {
      return `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`
    })
    const places = [`ServerRoot ${home}`, `DocumentRoot ${home}`, `PidFile ${home}/apache.pid`]
    const rest = [`Listen ${PORTS.apache}`, 'ServerName apache', `ErrorLog ${home}/apache.log`]
    const lines = [...modules, ...places, ...rest, '']
    writeFileSync(join(home, 'apache.conf'), lines.join('\n'))
    await starts(PORTS.apache, 'apache2', '-f', `${home}/apache.conf`, '-DFOREGROUND')
    const to = url('apache')
    t.equal(await curl(`${to}/small`), 'a small file\n')
    t.match(await shell(`curl -sS -m 30 ${to}/bulk | sha256sum`), digest)
    t.equal(await curl('-r', '2-6', `${to}/small`), 'small')
  })

  await t.test('l7: a load of three seconds without one error', async (t) => {
    const before = await client.sidecar.metric(REQUESTS, { service: 'nginx.default:80' })
    for (const family of [0, 1]) {
      const flags = ['-t', '1', '-c', '32', '-d', family === 0 ? '3s' : '1s', '--latency']
      const { stdout } = await client.run('wrk', ...flags, `${url('nginx', family)}/small`)
      t.notMatch(stdout, /Non-2xx|Socket errors/)
      const [, requests = '0'] = /(\d+) requests in/.exec(stdout) ?? []
      t.ok(Number(requests) > 500, stdout)
      t.comment(/Requests\/sec: .*/.exec(stdout)?.[0])
    }
    const labels = { service: 'nginx.default:80' }
    const after = await client.sidecar.metric(REQUESTS, labels)
    t.ok(after - before > 1000)
    t.equal((await client.sidecar.metric(REQUESTS, { ...labels, status: '200' })) > 1000, true)
  })

  await t.test('l7: nothing of that failed anywhere, and no request was sent twice', async (t) => {
    for (const { sidecar } of [client, server]) {
      t.same(sidecar.find({ level: 'error' }), [])
      const warnings = sidecar.find({ level: 'warn' })
      t.same(
        warnings.filter(({ event }) => event !== 'limit-lowered'),
        [],
      )
      for (const status of ['502', '504']) t.equal(await sidecar.metric(REQUESTS, { status }), 0)
      t.equal(await sidecar.metric('underpass_tcp_connect_failures_total'), 0)
      t.equal(await sidecar.metric('underpass_http_refused_total'), 0)
    }
  })
})
