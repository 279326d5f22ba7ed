// A supervisor with workers that are not processes: who is started when, what they are told, what is answered for them.

import { request } from 'node:http'
import { createServer, type Server } from 'node:net'
import t from 'tap'
import { MeshError } from '../../../src/lib/errors.ts'
import { Problems } from '../../../src/lib/problems.ts'
import { readSettings } from '../../../src/proxy/config.ts'
import { type Internals, loadInternals } from '../../../src/proxy/net/node-internals.ts'
import type { Settings } from '../../../src/proxy/settings.ts'
import { Supervisor } from '../../../src/proxy/workers/supervisor.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'
import { FakeForks } from './fake-fork.ts'

const ADDRESS = { ip: '127.0.0.1', port: 0 }

function settingsOf(text = ''): Settings {
  const problems = new Problems()
  const listener = 'inbound:\n  listeners: [{ address: 127.0.0.1:0, target: 127.0.0.1:9 }]\n'
  const whole = `${text.includes('admin') ? '' : 'admin: off\n'}workers: 2\n${listener}${text}`
  const settings = readSettings({ name: 'proxy.yaml', text: whole }, {}, problems)
  if (problems.any) throw new Error(problems.toString())
  return settings
}

interface Built {
  readonly supervisor: Supervisor
  readonly forks: FakeForks
  readonly clock: FakeClock
  readonly lines: Record<string, unknown>[]
  readonly quits: () => number
}

function build(text = '', load: () => Internals | string = loadInternals): Built {
  const forks = new FakeForks()
  const clock = new FakeClock()
  const { log, lines } = logLines()
  let quits = 0
  const quit = (): void => {
    quits += 1
  }
  const supervisor = new Supervisor(settingsOf(text), clock, log, forks.fork, quit, load)
  return { supervisor, forks, clock, lines, quits: () => quits }
}

async function running(text = ''): Promise<Built> {
  const built = build(text)
  const started = built.supervisor.start()
  await until('two workers are started', () => built.forks.all.length === 2)
  for (const worker of built.forks.all) worker.say({ kind: 'ready' })
  await started
  return built
}

t.test('supervisor: workers divide the limit of the application', async (t) => {
  for (const [text, share] of [
    ['', { limit: undefined, min: 4 }],
    ['limit: 7', { limit: 4, min: 4 }],
    ['limit: 4, adaptive: gradient', { limit: 2, min: 2, adaptive: 'gradient' }],
  ] as const) {
    const { forks } = await running(`  concurrency: { ${text} }\n`)
    for (const worker of forks.all) {
      t.match(worker.heard, [{ kind: 'start', settings: { inbound: { concurrency: share } } }])
    }
  }
})

t.test('supervisor: it is ready when all workers are', async (t) => {
  const { supervisor, forks, lines } = build('maxConnections: 5')
  const started = supervisor.start()
  await until('two workers are started', () => forks.all.length === 2)
  t.same(forks.started, [1, 2])
  for (const worker of forks.all) {
    t.match(worker.heard, [{ kind: 'start', settings: { workers: 2, maxConnections: 3 } }])
  }
  forks.at(0).say({ kind: 'ready' })
  t.equal(supervisor.whyNotReady(), 'starting')
  forks.at(1).say({ kind: 'ready' })
  await started
  t.equal(supervisor.whyNotReady(), '')
  t.match(
    lines.filter(({ event }) => event === 'ready'),
    [{ workers: 2 }],
  )
})

t.test('supervisor: each address is bound once and shared', async (t) => {
  const { supervisor, forks } = await running()
  t.teardown(async () => {
    void supervisor.abort()
    for (const worker of forks.all) worker.end(1)
  })
  const ask = (worker: number, nth: number): unknown => {
    forks.at(worker).say({ kind: 'bind', id: 7, address: ADDRESS, nth })
    t.match(forks.at(worker).heard.at(-1), { kind: 'bound', id: 7, errno: '' })
    return forks.at(worker).handles.at(-1)
  }
  const handle = ask(0, 0)
  t.ok(handle)
  t.equal(ask(1, 0), handle)
  t.not(ask(0, 1), handle, 'asked for any port once more: another one')
})

t.test('supervisor: an address in use is the worker that asked told', async (t) => {
  const { forks } = await running()
  const taken: Server = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => taken.close())
  const found = taken.address()
  const port = typeof found === 'object' ? (found?.port ?? 0) : 0
  const address = { ip: '127.0.0.1', port }
  forks.at(0).say({ kind: 'bind', id: 1, address, nth: 0 })
  t.match(forks.at(0).heard.at(-1), { kind: 'bound', id: 1, errno: 'EADDRINUSE' })
  t.equal(forks.at(0).handles.at(-1), undefined)
})

t.test('supervisor: what one worker refuses at the start is refused, and all end', async (t) => {
  const { supervisor, forks } = build()
  const started = supervisor.start()
  await until('two workers are started', () => forks.all.length === 2)
  forks.at(0).say({ kind: 'ready' })
  forks.at(1).say({ kind: 'refused', message: 'shop.yaml#1 kind: unknown' })
  forks.at(1).end(2)
  await until('the other is told', () => forks.at(0).commands.includes('abort'))
  forks.at(0).end(1)
  const error = await started.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  t.ok(error instanceof MeshError)
  t.match(error, { context: { problems: 'shop.yaml#1 kind: unknown' } })
  t.equal(forks.all.length, 2, 'nobody is replaced')
})

t.test('supervisor: a worker that dies before all are ready is a failed start', async (t) => {
  const { supervisor, forks, lines } = build()
  const started = supervisor.start()
  await until('two workers are started', () => forks.all.length === 2)
  forks.at(0).end(null, 'SIGKILL')
  await t.rejects(started, { message: 'worker 1 ended before it was ready: SIGKILL' })
  t.equal(forks.at(1).killed, true, 'the one that is still starting is ended')
  t.match(
    lines.filter(({ event }) => event === 'worker-ended'),
    [{ worker: 1 }],
  )
})

t.test('supervisor: without the internals there is nothing to share', async (t) => {
  const { supervisor, forks } = build('', () => 'TCP has no bind')
  await t.rejects(supervisor.start(), { code: 'configuration-invalid', message: /TCP has no bind/ })
  t.same(forks.all, [])
})

t.test('supervisor: a worker that dies is replaced, and the proxy stays ready', async (t) => {
  const { supervisor, forks, clock, lines } = await running()
  clock.advance(10_000)
  forks.at(0).end(null, 'SIGKILL')
  t.equal(supervisor.whyNotReady(), '', 'the other one is there')
  clock.advance(0)
  t.same(forks.started, [1, 2, 1], 'old enough: at once')
  t.match(
    lines.filter(({ event }) => event === 'worker-ended'),
    [{ worker: 1, pid: 1000, signal: 'SIGKILL', restartInMilliseconds: 0 }],
  )
  forks.at(1).end(1)
  t.equal(supervisor.whyNotReady(), 'no worker is ready')
  forks.at(2).say({ kind: 'ready' })
  t.equal(supervisor.whyNotReady(), '')
})

t.test('supervisor: who dies young is replaced later and later', async (t) => {
  const { forks, clock, lines } = await running()
  const waits: number[] = []
  for (let round = 0; round < 7; round += 1) {
    const before = forks.all.length
    forks.at(round === 0 ? 0 : -1).end(1)
    const wait = clock.next ?? Number.NaN
    waits.push(wait)
    clock.advance(wait - 1)
    t.equal(forks.all.length, before)
    clock.advance(1)
    t.equal(forks.all.length, before + 1)
  }
  t.same(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  clock.advance(10_000)
  forks.at(-1).end(1)
  t.equal(clock.next, 0, 'it has lived: the next one comes at once')
  t.equal(lines.filter(({ event }) => event === 'worker-ended').length, 8)
})

t.test('supervisor: a replacement that is refused is said and tried again', async (t) => {
  const { supervisor, forks, clock, lines } = await running()
  forks.at(0).end(null, 'SIGSEGV')
  clock.advance(1000)
  forks.at(2).say({ kind: 'refused', message: 'shop.yaml: bad' })
  forks.at(2).end(2)
  t.equal(supervisor.whyNotReady(), '')
  t.match(
    lines.filter(({ event }) => event === 'worker-refused'),
    [{ worker: 1, problems: 'shop.yaml: bad' }],
  )
  clock.advance(2000)
  t.same(forks.started, [1, 2, 1, 1])
})

t.test('supervisor: the end in order', async (t) => {
  const { supervisor, forks, clock, lines } = await running()
  const stopped = supervisor.stop()
  t.equal(supervisor.whyNotReady(), 'draining')
  t.same(
    forks.all.map(({ commands }) => commands),
    [['stop'], ['stop']],
  )
  forks.at(0).say({ kind: 'bind', id: 1, address: ADDRESS, nth: 0 })
  t.match(forks.at(0).heard.at(-1), { kind: 'bound', errno: 'ECANCELED' }, 'it is let go already')
  forks.at(0).end(0)
  forks.at(1).end(0)
  await stopped
  t.equal(forks.all.length, 2)
  t.equal(clock.timers, 0)
  t.equal(lines.filter(({ event }) => event === 'worker-ended').length, 0)
  t.equal(lines.at(-1)?.['event'], 'stopped')
})

t.test('supervisor: who has not ended after the grace is killed, and that is said', async (t) => {
  const { supervisor, forks, clock, lines } = await running('drain: { grace: 3s }')
  const stopped = supervisor.stop()
  forks.at(0).end(0)
  clock.advance(7999)
  t.equal(forks.at(1).killed, false)
  clock.advance(1)
  t.equal(forks.at(1).killed, true)
  await t.rejects(stopped, { message: 'a worker did not end in order' })
  t.match(
    lines.filter(({ event }) => event === 'worker-ended'),
    [{ worker: 2 }],
  )
})

t.test('supervisor: a worker that waits for its turn is not started any more', async (t) => {
  const { supervisor, forks, clock } = await running()
  forks.at(0).end(1)
  const stopped = supervisor.stop()
  forks.at(1).end(0)
  await stopped
  clock.advance(60_000)
  t.equal(forks.all.length, 2)
})

t.test('supervisor: the end at once', async (t) => {
  const { supervisor, forks, clock } = await running()
  const stopped = supervisor.stop()
  const aborted = supervisor.abort()
  t.same(forks.at(0).commands, ['stop', 'abort'])
  forks.at(0).end(1)
  clock.advance(1000)
  t.equal(forks.at(1).killed, true, 'it was given a second')
  await aborted
  await stopped
})

t.test('supervisor: draining stops accepting and nothing else', async (t) => {
  const { supervisor, forks, clock } = await running()
  supervisor.drain()
  supervisor.drain()
  t.same(forks.at(0).commands, ['drain'])
  forks.at(0).end(1)
  clock.advance(60_000)
  t.equal(forks.all.length, 2, 'nobody is replaced: there is nothing to accept')
})

t.test('supervisor: the mode reaches all workers, later ones too', async (t) => {
  const { supervisor, forks, clock } = await running()
  supervisor.setMode('l7')
  t.same(forks.at(1).heard.at(-1), { kind: 'mode', mode: 'l7' })
  forks.at(0).end(1)
  clock.advance(1000)
  t.same(forks.at(2).commands, [])
  forks.at(2).say({ kind: 'ready' })
  t.same(forks.at(2).heard.at(-1), { kind: 'mode', mode: 'l7' })
})

t.test('supervisor: a worker that does not answer is left out', async (t) => {
  const { supervisor, forks, clock } = await running()
  const page = supervisor.metrics()
  await until('both are asked', () => forks.at(1).commands.includes('ask'))
  forks.at(0).answer([
    {
      ...{ name: 'x_total', help: 'X.', type: 'counter', aggregator: 'sum' },
      values: [{ value: 3, labels: { a: 'b' } }],
    },
  ])
  clock.advance(4000)
  const { type, body } = await page
  t.match(type, 'text/plain')
  t.match(body, /^x_total\{a="b"\} 3$/m)
  t.match(body, /^underpass_workers 2$/m)
  t.match(body, /^underpass_worker_restarts_total 0$/m)
  t.match(body, /^underpass_resident_memory_bytes [1-9]\d+$/m, 'its own')
  forks.at(1).answer([])
  t.equal(clock.timers, 0, 'an answer that comes too late is for nobody')
})

t.test('supervisor: the admin port answers for all', async (t) => {
  const port = await freePort()
  const { supervisor, forks, quits } = await running(`admin: 127.0.0.1:${port}\n`)
  t.teardown(async () => {
    const stopped = supervisor.stop()
    for (const worker of forks.all) worker.end(0)
    await stopped
  })
  t.match(forks.at(0).heard[0], { settings: { admin: { ip: '127.0.0.1', port } } })
  t.equal(await ask(port, 'GET', '/ready'), '200 ready\n')
  t.match(JSON.parse((await ask(port, 'GET', '/config')).slice(4)), { workers: 2 })
  const asked = ask(port, 'GET', '/endpoints')
  await until('both are asked', () => forks.all.every((worker) => worker.commands.includes('ask')))
  const row = (open: number): unknown => ({ service: 'shop.default:80', open, endpoints: [] })
  forks.at(0).answer([row(2)])
  forks.at(1).answer([row(3)])
  t.same(JSON.parse((await asked).slice(4)), [row(5)])
  t.equal(await ask(port, 'POST', '/drain'), '202 draining\n')
  t.equal(forks.at(1).commands.at(-1), 'drain')
  t.match(await ask(port, 'POST', '/quit'), /^202/)
  await until('it is told to quit', () => quits() === 1)
})

t.test('supervisor: an admin address in use is refused with its key', async (t) => {
  const port = await freePort()
  const taken: Server = createServer()
  await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve))
  t.teardown(() => taken.close())
  const { supervisor, forks } = build(`admin: 127.0.0.1:${port}\n`)
  await t.rejects(supervisor.start(), {
    context: { key: 'admin', address: `127.0.0.1:${port}` },
    message: /EADDRINUSE/,
  })
  t.same(forks.all, [])
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const found = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof found === 'object' ? (found?.port ?? 0) : 0
}

/** The status and the body. */
async function ask(port: number, method: string, path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', method, path, agent: false })
    asked.on('error', reject)
    asked.on('response', (response) => {
      let heard = `${response.statusCode} `
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        heard += chunk
      })
      response.on('end', () => {
        resolve(heard)
      })
    })
    asked.end()
  })
}
