// A worker without a process around it: what it does on each word of the supervisor, and at the supervisor's end.

import t from 'tap'
import { MeshError } from '../../../src/lib/errors.ts'
import type { Bind } from '../../../src/proxy/net/bound-handle.ts'
import type { TcpHandle } from '../../../src/proxy/net/node-internals.ts'
import { RouteTable } from '../../../src/proxy/route/route-table.ts'
import type { Settings } from '../../../src/proxy/settings.ts'
import type { FromWorker } from '../../../src/proxy/workers/messages.ts'
import { type DataPlane, Worker } from '../../../src/proxy/workers/worker.ts'
import { until } from '../../support/until.ts'

class FakePlane implements DataPlane {
  readonly routes: { table: RouteTable } = { table: new RouteTable() }
  readonly calls: string[] = []
  readonly bind: Bind
  starting: () => Promise<void> = async () => Promise.resolve()
  stopping: () => Promise<void> = async () => Promise.resolve()

  constructor(bind: Bind) {
    this.bind = bind
  }

  async start(): Promise<void> {
    this.calls.push('start')
    await this.starting()
  }

  async stop(): Promise<void> {
    this.calls.push('stop')
    await this.stopping()
  }

  abort(): void {
    this.calls.push('abort')
  }

  drain(): void {
    this.calls.push('drain')
  }

  setMode(mode: string): void {
    this.calls.push(`mode ${mode}`)
  }

  async figures(): Promise<[]> {
    return Promise.resolve([])
  }

  now(): number {
    return 0
  }
}

class World {
  readonly said: FromWorker[] = []
  readonly ends: number[] = []
  readonly crashes: unknown[] = []
  plane: FakePlane | undefined
  readonly worker: Worker

  constructor(prepare: (plane: FakePlane) => void = () => undefined) {
    this.worker = new Worker({
      send: (message, sent) => {
        this.said.push(message)
        sent?.()
      },
      build: (_, bind) => {
        this.plane = new FakePlane(bind)
        prepare(this.plane)
        return this.plane
      },
      end: (status) => {
        this.ends.push(status)
      },
      crash: (error) => {
        this.crashes.push(error)
      },
    })
  }

  /** Starts and waits for the first word. */
  async started(): Promise<this> {
    this.worker.receive({ kind: 'start', settings: {} as Settings })
    await until('it says something', () => this.said.length + this.crashes.length > 0)
    return this
  }

  get calls(): readonly string[] {
    return this.plane?.calls ?? []
  }
}

t.test('worker: it starts, obeys and answers', async (t) => {
  const world = await new World().started()
  t.same(world.said, [{ kind: 'ready' }])
  world.worker.receive({ kind: 'mode', mode: 'l7' })
  world.worker.receive({ kind: 'drain' })
  t.same(world.calls, ['start', 'mode l7', 'drain'])
  world.worker.receive({ kind: 'ask', id: 1, question: 'endpoints' })
  world.worker.receive({ kind: 'ask', id: 2, question: 'figures' })
  await until('both are answered', () => world.said.length === 3)
  t.same(world.said.slice(1), [
    { kind: 'answer', id: 1, value: [] },
    { kind: 'answer', id: 2, value: [] },
  ])
})

t.test('worker: it stops once, in order, and ends with 0', async (t) => {
  const world = await new World().started()
  world.worker.receive({ kind: 'stop' })
  world.worker.receive({ kind: 'stop' })
  await until('it ends', () => world.ends.length > 0)
  t.same(world.calls, ['start', 'stop'])
  t.same(world.ends, [0])
})

t.test('worker: without its supervisor it stops', async (t) => {
  const world = await new World().started()
  world.worker.disconnected()
  await until('it ends', () => world.ends.length > 0)
  t.same(world.calls, ['start', 'stop'])
  t.same(world.ends, [0])
})

t.test('worker: while it starts it carries nothing, and ends at once', async (t) => {
  const world = new World((plane) => {
    plane.starting = async () => new Promise(() => undefined)
  })
  world.worker.receive({ kind: 'start', settings: {} as Settings })
  world.worker.disconnected()
  t.same(world.ends, [0])
  t.same(world.calls, ['start'])
})

t.test('worker: told to end at once it resets everything and ends with 1', async (t) => {
  const world = await new World((plane) => {
    plane.stopping = async () => new Promise(() => undefined)
  }).started()
  world.worker.receive({ kind: 'stop' })
  world.worker.receive({ kind: 'abort' })
  t.same(world.calls, ['start', 'stop', 'abort'])
  t.same(world.ends, [1])
})

t.test('worker: what is refused is said before it ends with 2', async (t) => {
  const failures: [MeshError, string][] = [
    [new MeshError('manifest-invalid', { problems: 'shop.yaml: bad' }), 'shop.yaml: bad'],
    [
      new MeshError('configuration-invalid', { key: 'x' }),
      'configuration-invalid: the configuration or command line was refused (key=x)',
    ],
  ]
  for (const [failure, message] of failures) {
    const world = await new World((plane) => {
      plane.starting = async () => Promise.reject(failure)
    }).started()
    t.same(world.said, [{ kind: 'refused', message }])
    t.same(world.ends, [2])
  }
})

t.test('worker: a defect at the start, or at the end, is a crash', async (t) => {
  const defect = new Error('a defect')
  const world = await new World((plane) => {
    plane.starting = async () => Promise.reject(defect)
  }).started()
  t.same(world.crashes, [defect])
  const other = await new World((plane) => {
    plane.stopping = async () => Promise.reject(defect)
  }).started()
  other.worker.receive({ kind: 'stop' })
  await until('it crashes', () => other.crashes.length > 0)
  t.same(other.ends, [])
})

t.test('worker: bound handles come from the supervisor, each for its question', async (t) => {
  const world = await new World().started()
  const address = { ip: '127.0.0.1', port: 80 }
  const one = world.plane?.bind(address)
  const two = world.plane?.bind(address)
  const three = world.plane?.bind({ ip: '::1', port: 80 })
  t.match(world.said.slice(1), [
    { kind: 'bind', id: 1, address, nth: 0 },
    { kind: 'bind', id: 2, address, nth: 1 },
    { kind: 'bind', id: 3, nth: 0 },
  ])
  const [first, second] = [{} as TcpHandle, {} as TcpHandle]
  world.worker.receive({ kind: 'bound', id: 2, errno: '' }, second)
  world.worker.receive({ kind: 'bound', id: 1, errno: '' }, first)
  world.worker.receive({ kind: 'bound', id: 3, errno: 'EADDRINUSE' })
  t.equal(await one, first)
  t.equal(await two, second)
  await t.rejects(async () => await three, { code: 'EADDRINUSE', message: 'EADDRINUSE' })
})
