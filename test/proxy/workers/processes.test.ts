// `underpass proxy` with several workers, as processes: both serve, one may die, all end together.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Running, start } from '../../cli/command.ts'
import { dial, serve } from '../../support/tcp.ts'
import { until } from '../../support/until.ts'

class RunningProxy {
  readonly run: Running
  readonly admin: number
  readonly port: number

  constructor(run: Running, admin: number, port: number) {
    this.run = run
    this.admin = admin
    this.port = port
  }

  /** The process ids of the workers, in the order they were started. */
  get pids(): number[] {
    return this.run.events('worker-started').map(({ pid }) => Number(pid))
  }

  async metric(name: string): Promise<number> {
    const { body } = await ask(this.admin, 'GET', '/metrics')
    const lines = body.split('\n').filter((line) => line.startsWith(name))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** An open connection that has been answered. */
  async connect(): Promise<Socket> {
    const client = await dial(this.port)
    client.on('error', () => undefined)
    await answered(client)
    return client
  }

  /** How many connections each worker has carried to their end. */
  shares(): Record<string, number> {
    const shares: Record<string, number> = {}
    for (const { worker } of this.run.events('closed')) {
      shares[String(worker)] = (shares[String(worker)] ?? 0) + 1
    }
    return shares
  }
}

/** Sends something and waits until it comes back. */
async function answered(client: Socket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    client.once('data', () => {
      resolve()
    })
    client.once('close', () => {
      reject(new Error('closed'))
    })
    client.write('hello')
  })
}

/** A proxy with two workers in front of a server that sends back what it gets. */
async function twoWorkers(t: Test, env: Record<string, string> = {}): Promise<RunningProxy> {
  const target = await serve((socket) => socket.pipe(socket))
  t.teardown(target.close)
  const admin = await freePort()
  const run = start(t, ['proxy'], {
    UNDERPASS_WORKERS: '2',
    UNDERPASS_ADMIN: `127.0.0.1:${admin}`,
    UNDERPASS_LOG_LEVEL: 'debug',
    UNDERPASS_INBOUND_LISTENERS: `[{ address: "127.0.0.1:0", target: "127.0.0.1:${target.port}" }]`,
    ...env,
  })
  await until('it is ready', () => run.events('ready').some(({ workers }) => workers === 2))
  const address = await run.listening('inbound.listeners[0].address')
  return new RunningProxy(run, admin, Number(address.split(':')[1]))
}

/** Opens and closes connections until both workers have carried some, and not without end. Says how many. */
async function onBoth(proxy: RunningProxy): Promise<number> {
  let total = 0
  while (total < 800 && Object.keys(proxy.shares()).length < 2) {
    const batch = Array.from({ length: 40 }, async () => await proxy.connect())
    for (const client of await Promise.all(batch)) client.destroy()
    total += batch.length
    await until('all are closed', () => proxy.run.events('closed').length === total)
  }
  return total
}

for (const sockets of ['auto', 'streams']) {
  t.test(`workers: both serve, and are counted as one (${sockets})`, async (t) => {
    const proxy = await twoWorkers(t, { UNDERPASS_SOCKETS: sockets })
    t.equal((await ask(proxy.admin, 'GET', '/ready')).status, 200)
    t.equal(proxy.pids.length, 2)
    const listening = await until('both say where they listen', () => {
      const lines = proxy.run.events('listening')
      return lines.length === 2 && lines
    })
    t.same(listening.map(({ worker }) => worker).sort(), [1, 2])
    t.equal(new Set(listening.map(({ address }) => address)).size, 1, 'one free port for both')
    const total = await onBoth(proxy)
    const shares = proxy.shares()
    t.same(Object.keys(shares).sort(), ['1', '2'], JSON.stringify(shares))
    t.equal(await proxy.metric('underpass_tcp_connections_opened_total'), total)
    t.equal(await proxy.metric('underpass_tcp_received_bytes_total'), 5 * total)
    t.equal(await proxy.metric('underpass_workers'), 2)
    const clients = await Promise.all(Array.from({ length: 7 }, async () => await proxy.connect()))
    t.equal(await proxy.metric('underpass_sessions'), 7)
    for (const client of clients) client.destroy()
  })
}

t.test('workers: one is killed, the other serves, and a third comes', async (t) => {
  const proxy = await twoWorkers(t)
  await onBoth(proxy)
  const opened = await proxy.metric('underpass_tcp_connections_opened_total')
  const [first = 0] = proxy.pids
  process.kill(first, 'SIGKILL')
  const ended = await proxy.run.event('worker-ended')
  t.match(ended, { level: 'error', worker: 1, pid: first, signal: 'SIGKILL' })
  t.equal((await ask(proxy.admin, 'GET', '/ready')).status, 200)
  t.equal(await proxy.metric('underpass_workers'), 1)
  for (let count = 0; count < 10; count += 1) (await proxy.connect()).destroy()
  await until('there are two again', async () => (await proxy.metric('underpass_workers')) === 2)
  t.equal(await proxy.metric('underpass_worker_restarts_total'), 1)
  t.equal(proxy.pids.length, 3)
  t.equal(
    await proxy.metric('underpass_tcp_connections_opened_total'),
    opened + 10,
    'what the dead one had counted is not lost',
  )
  const others = proxy.pids.slice(1)
  proxy.run.child.kill('SIGTERM')
  t.equal(await proxy.run.status(), 0)
  t.same(others.filter(lives), [])
})

t.test('workers: connections that arrive while there is none wait for the next', async (t) => {
  const proxy = await twoWorkers(t)
  for (const pid of proxy.pids) process.kill(pid, 'SIGKILL')
  await until('both are gone', () => proxy.run.events('worker-ended').length === 2)
  t.match(await ask(proxy.admin, 'GET', '/ready'), { status: 503, body: /no worker is ready/ })
  t.equal((await ask(proxy.admin, 'GET', '/live')).status, 200)
  const client = await proxy.connect()
  client.destroy()
  await until('it is ready again', async () => {
    return (await ask(proxy.admin, 'GET', '/ready')).status === 200
  })
})

t.test('workers: SIGTERM lets open connections end, and ends all with 0', async (t) => {
  const proxy = await twoWorkers(t)
  const clients = await Promise.all(Array.from({ length: 40 }, async () => proxy.connect()))
  proxy.run.child.kill('SIGTERM')
  await until('both drain', () => proxy.run.events('draining').length === 3)
  await until('nobody listens any more', async () => {
    return await dial(proxy.port).then(
      (socket) => void socket.destroy(),
      (error: unknown) => (error as NodeJS.ErrnoException).code === 'ECONNREFUSED',
    )
  })
  t.match(await ask(proxy.admin, 'GET', '/ready'), { status: 503, body: /draining/ })
  await Promise.all(clients.map(answered))
  for (const client of clients) client.end()
  t.equal(await proxy.run.status(), 0)
  t.same(proxy.pids.filter(lives), [])
  t.equal(proxy.run.events('stopped').length, 3)
  const errors = proxy.run.events('closed').filter(({ error }) => error !== undefined)
  t.same(errors, [])
})

t.test('workers: what is open when the grace is over is reset', async (t) => {
  const proxy = await twoWorkers(t, { UNDERPASS_DRAIN_GRACE: '100ms' })
  const clients = await Promise.all(Array.from({ length: 20 }, async () => proxy.connect()))
  t.equal((await ask(proxy.admin, 'POST', '/quit')).status, 202)
  t.equal(await proxy.run.status(), 0)
  t.equal(proxy.run.events('closed').filter(({ error }) => error === 'drain-timeout').length, 20)
  await until('all have heard of it', () => clients.every(({ destroyed }) => destroyed))
})

t.test('workers: a second SIGTERM ends all at once, with 1 and resets', async (t) => {
  const proxy = await twoWorkers(t, { UNDERPASS_DRAIN_GRACE: '1h' })
  const client = await proxy.connect()
  const code = new Promise((resolve) => client.once('error', resolve))
  proxy.run.child.kill('SIGTERM')
  await until('both drain', () => proxy.run.events('draining').length === 3)
  proxy.run.child.kill('SIGTERM')
  t.equal(await proxy.run.status(), 1)
  t.match(await code, { code: 'ECONNRESET' })
  t.same(proxy.pids.filter(lives), [])
  t.same(proxy.run.events('crash'), [])
})

t.test('workers: signals to the whole group are the same as to the first', async (t) => {
  const proxy = await twoWorkers(t)
  const client = await proxy.connect()
  for (const pid of [...proxy.pids, proxy.run.child.pid ?? 0]) process.kill(pid, 'SIGINT')
  await until('both drain', () => proxy.run.events('draining').length === 3)
  await answered(client)
  client.end()
  t.equal(await proxy.run.status(), 0)
  t.same(proxy.run.events('worker-ended'), [])
})

t.test('workers: none outlives a supervisor that was killed', async (t) => {
  const proxy = await twoWorkers(t, { UNDERPASS_DRAIN_GRACE: '200ms' })
  const clients = await Promise.all(Array.from({ length: 20 }, async () => proxy.connect()))
  t.ok(proxy.pids.every(lives))
  proxy.run.child.kill('SIGKILL')
  await until('all workers are gone', () => proxy.pids.every((pid) => !lives(pid)))
  await until('their connections too', () => clients.every(({ destroyed }) => destroyed))
})

t.test('workers: bad manifests and an address in use are refused as by one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'underpass-workers-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const path = join(folder, 'shop.yaml')
  writeFileSync(path, 'apiVersion: v1\nkind: Service\nmetadata: {}\n')
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => taken.close())
  const found = taken.address()
  const address = `127.0.0.1:${typeof found === 'object' ? found?.port : ''}`
  const spare = '[{ address: "127.0.0.1:0", target: "127.0.0.1:9" }]'
  const cases: Record<string, string>[] = [
    { UNDERPASS_DISCOVERY_FILES: path, UNDERPASS_INBOUND_LISTENERS: spare },
    { UNDERPASS_INBOUND_LISTENERS: `[{ address: "${address}", target: "127.0.0.1:9" }]` },
    { UNDERPASS_ADMIN: address, UNDERPASS_INBOUND_LISTENERS: spare },
  ]
  for (const env of cases) {
    const [one, two] = ['1', '2'].map((workers) =>
      start(t, ['proxy'], { UNDERPASS_ADMIN: 'off', ...env, UNDERPASS_WORKERS: workers }),
    )
    t.equal(await one?.status(), 2)
    t.equal(await two?.status(), 2)
    t.equal(two?.err, one?.err, 'the same message')
    const pids = (two?.events('worker-started') ?? []).map(({ pid }) => Number(pid))
    await until('no worker is left', () => !pids.some(lives))
  }
})

t.test('workers: the lines of all come out whole, long ones too', async (t) => {
  const names = Array.from({ length: 150 }, (_, index) => `shop-${index}-${'x'.repeat(40)}`)
  const folder = mkdtempSync(join(tmpdir(), 'underpass-workers-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const path = join(folder, 'shop.yaml')
  writeFileSync(path, '# nothing yet\n')
  const proxy = await twoWorkers(t, { UNDERPASS_DISCOVERY_FILES: path })
  // Every problem stands in one line, several pages of memory long, from both at about the same time.
  writeFileSync(path, names.map((name) => `kind: ${name}\n`).join('---\n'))
  await until('both have refused it', () => proxy.run.events('discovery-refused').length === 2)
  proxy.run.child.kill('SIGTERM')
  t.equal(await proxy.run.status(), 0)
  const lines = proxy.run.out.split('\n').filter((line) => line !== '')
  t.ok(lines.some((line) => line.length > 8192))
  for (const line of lines) t.doesNotThrow(() => JSON.parse(line) as unknown, line.slice(0, 80))
})

/** One that has ended but whom nobody has asked for its status (a zombie) is gone too. */
function lives(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat[stat.lastIndexOf(')') + 2] !== 'Z'
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const found = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof found === 'object' ? (found?.port ?? 0) : 0
}

async function ask(
  port: number,
  method: string,
  path: string,
): Promise<{ status: number; body: string }> {
  return await new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', method, path, agent: false })
    asked.on('error', reject)
    asked.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body })
      })
    })
    asked.end()
  })
}
