// The simulated ends of the real stages: calls, pools and pods do to an exchange what connections do.

import t from 'tap'
import type { Calls, GiveUp } from '../../../bench/simulate/call.ts'
import { constant } from '../../../bench/simulate/chance.ts'
import type { Instance, InstanceRules } from '../../../bench/simulate/instance.ts'
import { renderRequest, responseHead, traceOf } from '../../../bench/simulate/message.ts'
import { NextCall, Pod } from '../../../bench/simulate/pod.ts'
import { BETWEEN_PODS, PORT, type Policy, SimulatedWorld } from '../../../bench/simulate/world.ts'
import { DEFAULT_RULES } from '../../../src/api/resources.ts'
import { Deadlines } from '../../../src/proxy/resilience/deadlines.ts'
import { Retrying } from '../../../src/proxy/resilience/retrying.ts'

const FOREVER = Number.POSITIVE_INFINITY
/** Of a request on a new connection, besides the work: one round trip for each. */
const TRIPS = 4 * BETWEEN_PODS
const WORK = 10

interface Ended {
  readonly status: number
  readonly error: string | undefined
  readonly at: number
}

class Bed {
  readonly world: SimulatedWorld = new SimulatedWorld(1)
  readonly instances: readonly Instance[]
  readonly calls: Calls
  readonly ended: Ended[] = []

  constructor(count: number, policy: Policy = {}, rules: Partial<InstanceRules> = {}) {
    this.instances = Array.from({ length: count }, (_, at) =>
      this.world.instance(`shop-${at}`, {
        ...{ workers: 1, queue: 10, service: constant(WORK), distance: BETWEEN_PODS },
        honoursCancellation: false,
        ...rules,
      }),
    )
    const addresses = this.instances.map((instance) => this.world.place(instance))
    this.world.service('shop', addresses, {
      loadBalancer: { algorithm: 'roundRobin', affinity: { kind: 'none' } },
      ...policy,
    })
    this.calls = this.world.sidecar('caller').callsTo('shop.default', PORT)
  }

  ask(method = 'GET', calls = this.calls): GiveUp {
    const about = { method, host: 'shop.default', trace: traceOf(1), due: FOREVER }
    const text = renderRequest({ ...about, timeout: FOREVER })
    return calls.begin(text, (status, error) => {
      this.ended.push({ status, error, at: this.world.clock.now() })
    })
  }

  run(time: number): void {
    this.world.clock.run(this.world.clock.now() + time)
  }

  /** Tries that reached the instances, in their order. */
  get received(): number[] {
    return this.instances.map(({ counts }) => counts.received)
  }
}

t.test('calls: a request goes through the stages to an instance and back', async (t) => {
  const bed = new Bed(1)
  bed.ask()
  bed.run(100)
  t.same(bed.ended, [{ status: 200, error: undefined, at: TRIPS + WORK }])
  const { destination } = bed.calls
  t.equal(destination.open, 1, 'its connection is kept')
  const [endpoint] = destination.picker.endpoints
  t.equal(endpoint?.open, 0)
  t.same(endpoint?.counters.forRequests().statuses(), [[200, 1]])
  bed.ask()
  bed.run(100)
  t.equal(bed.ended[1]?.at, 100 + TRIPS / 2 + WORK, 'and used again')
  t.equal(destination.open, 1)
})

t.test('calls: those that come together have a connection each', async (t) => {
  const bed = new Bed(1, {}, { workers: 3 })
  for (let turn = 0; turn < 3; turn += 1) bed.ask()
  bed.run(100)
  t.equal(bed.ended.length, 3)
  t.equal(bed.calls.destination.open, 3)
})

t.test('calls: connections are limited as the policy says, and the others wait', async (t) => {
  const bed = new Bed(1, { maxConnections: 1, maxPendingRequests: 1 }, { workers: 3 })
  for (let turn = 0; turn < 3; turn += 1) bed.ask()
  t.same(
    bed.ended.map(({ error }) => error),
    ['pending-limit'],
  )
  bed.run(100)
  t.same(
    bed.ended.map(({ status }) => status),
    [503, 200, 200],
  )
  t.equal(bed.calls.destination.open, 1)
})

t.test('pool: an instance that does not listen is passed over', async (t) => {
  const bed = new Bed(2)
  bed.instances[0]?.become('dead')
  for (let turn = 0; turn < 4; turn += 1) bed.ask()
  bed.run(200)
  t.same(
    bed.ended.map(({ status }) => status),
    [200, 200, 200, 200],
  )
  t.same(bed.received, [0, 4])
})

t.test('pool: when nobody listens the request fails, and nothing of it is left', async (t) => {
  const bed = new Bed(1)
  bed.instances[0]?.become('dead')
  bed.ask()
  bed.run(100)
  t.match(bed.ended, [{ status: 502, error: 'endpoint-refused' }])
  t.equal(bed.calls.destination.open, 0)
})

t.test(
  'pool: a connection that breaks under a request ends it, or sends it once more',
  async (t) => {
    const bed = new Bed(1)
    bed.ask('PUT')
    bed.run(5)
    bed.instances[0]?.become('dead')
    t.match(bed.ended, [{ status: 502, error: 'upstream-reset' }])
    t.equal(bed.calls.destination.open, 0)
    bed.instances[0]?.become('healthy')
    bed.ask()
    bed.run(2000)
    t.equal(bed.ended[1]?.status, 200)
    // On a connection that was used before, and a safe method: it is read again from what was kept of it.
    bed.ask()
    bed.run(5)
    bed.instances[0]?.become('dead')
    bed.instances[0]?.become('healthy')
    bed.run(100)
    t.equal(bed.ended[2]?.status, 200)
    t.equal(bed.instances[0]?.counts.received, 4)
  },
)

t.test('pool: idle connections break with their server', async (t) => {
  const bed = new Bed(1)
  bed.ask()
  bed.run(100)
  t.equal(bed.calls.destination.open, 1)
  bed.instances[0]?.become('dead')
  t.equal(bed.calls.destination.open, 0)
})

t.test(
  'calls: a client that gives up hears nothing more, and its connection is gone',
  async (t) => {
    const bed = new Bed(1)
    const giveUp = bed.ask()
    bed.run(5)
    giveUp()
    t.match(bed.ended, [{ status: 0, error: 'downstream-reset' }])
    t.equal(bed.calls.destination.open, 0)
    bed.run(100)
    t.equal(bed.ended.length, 1)
    t.equal(bed.instances[0]?.counts.wasted, 1)
    giveUp()
    t.equal(bed.ended.length, 1)
  },
)

t.test('calls: giving up while a connection is opened leaves it for the next', async (t) => {
  const bed = new Bed(1)
  bed.ask()()
  t.equal(bed.ended[0]?.error, 'downstream-reset')
  bed.ask()
  bed.run(100)
  t.equal(bed.ended[1]?.status, 200)
  t.same(bed.received, [1])
})

t.test('calls: giving up twice does not reach the request that came after', async (t) => {
  const bed = new Bed(1)
  const first = bed.ask()
  bed.run(100)
  bed.ask()
  first()
  bed.run(100)
  t.same(
    bed.ended.map(({ status }) => status),
    [200, 200],
  )
})

t.test('pool: one that discovery takes away ends when what it carries is done', async (t) => {
  const bed = new Bed(1)
  bed.ask()
  const [endpoint] = bed.calls.destination.picker.endpoints
  endpoint?.requests?.retire()
  bed.run(100)
  t.equal(bed.ended[0]?.status, 200)
  t.equal(bed.calls.destination.open, 0)
  t.ok(endpoint?.requests?.isRetired)
})

t.test('pool: an idle connection makes room for another endpoint', async (t) => {
  const bed = new Bed(2, { maxConnections: 1 })
  bed.ask()
  bed.run(100)
  bed.ask()
  bed.run(100)
  t.same(bed.received, [1, 1])
  t.equal(bed.calls.destination.open, 1)
})

t.test('sidecar: the stages are those of the real composition', async (t) => {
  const seen = new Set<string>()
  const stages = [Deadlines, Retrying] as const
  for (const { name, prototype } of stages) {
    const open = Object.getOwnPropertyDescriptor(prototype, 'open')
    if (open === undefined) continue
    t.intercept(prototype, 'open', {
      value(this: unknown, ...words: unknown[]): void {
        seen.add(name)
        Reflect.apply(open.value as () => void, this, words)
      },
    })
  }
  const bed = new Bed(1)
  bed.ask()
  bed.run(100)
  t.same([...seen], ['Deadlines', 'Retrying'])
  t.equal(bed.ended[0]?.status, 200)
})

t.test('pod: a chain passes on answers, failures and who has left', async (t) => {
  const bed = new Bed(1)
  const { world, instances } = bed
  const sidecar = world.sidecar('front')
  const waited: number[] = []
  const calls = sidecar.callsTo('shop.default', PORT)
  const front = world.instance('front', {
    ...{ workers: 1, queue: 10, service: constant(WORK), distance: 0, honoursCancellation: true },
    handler: new NextCall(calls, 'shop.default', 'trace', (time) => waited.push(time)),
  })
  const pod = new Pod(sidecar, world.place(front), BETWEEN_PODS, undefined)
  const rules = { ...DEFAULT_RULES, retries: { ...DEFAULT_RULES.retries, attempts: 0 } }
  world.service('front', [world.place(pod)], { rules })
  const client = world.sidecar('client').callsTo('front.default', PORT)
  bed.ask('GET', client)
  bed.run(100)
  t.match(bed.ended, [{ status: 200, at: 2 * (TRIPS + WORK) }])
  t.same(waited, [TRIPS + WORK])
  instances[0]?.become('failing')
  bed.ask('GET', client)
  bed.run(100)
  t.equal(bed.ended[1]?.status, 503)
  front.become('dead')
  bed.ask('GET', client)
  bed.run(100)
  t.equal(bed.ended[2]?.status, 502, 'the sidecar answers in its stead')
  front.become('healthy')
  instances[0]?.become('stalled')
  bed.run(2000)
  const giveUp = bed.ask('GET', client)
  bed.run(50)
  t.equal(front.busy, 1)
  giveUp()
  t.equal(front.busy, 0, 'it honours that its client has left')
  t.equal(calls.destination.picker.endpoints[0]?.open, 0)
})

t.test('message: a response is read from real bytes, the same each time', async (t) => {
  t.equal(responseHead(503).status, 503)
  t.equal(responseHead(503), responseHead(503))
  t.throws(() => responseHead(1000))
})
