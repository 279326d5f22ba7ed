// What ejections, panic and slow start mean for a choice: the same under every way of choosing.

import t from 'tap'
import { ALGORITHMS, type SessionAffinity } from '../../../src/api/resources.ts'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import { isUsable, isWell, Level, levelOf } from '../../../src/proxy/balance/usable.ts'
import type { Picker } from '../../../src/proxy/stack/destination.ts'
import type { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { endpointsOf, isNear, pick } from './fixture.ts'

type Make = (endpoints: readonly Endpoint[]) => Picker

const RANDOM: Random = seededRandom(5)
const NONE: SessionAffinity = { kind: 'none' }
const BY_SOURCE: SessionAffinity = { kind: 'sourceIp' }
const PICKERS: Readonly<Record<string, Make>> = Object.fromEntries(
  [NONE, BY_SOURCE].flatMap((affinity) =>
    ALGORITHMS.map((algorithm) => [
      affinity === NONE ? algorithm : `${algorithm} by source`,
      (endpoints: readonly Endpoint[]) => makePicker({ algorithm, affinity }, endpoints, RANDOM),
    ]),
  ),
)

type Three = readonly [Endpoint, Endpoint, Endpoint]

function three(): Three {
  const [first, second, third] = endpointsOf(1, 1, 1)
  if (first === undefined || second === undefined || third === undefined) throw new Error()
  return [first, second, third]
}

type Wish = NonNullable<Parameters<typeof pick>[1]>

/** Whom choices of many clients fall on. */
function seen(picker: Picker, wish: Wish = {}): Set<Endpoint | undefined> {
  const all = new Set<Endpoint | undefined>()
  for (let turn = 0; turn < 200; turn += 1) {
    const picked = pick(picker, { source: `10.0.${turn}.1`, ...wish })
    if (picked !== undefined) picked.open += 1
    all.add(picked)
  }
  return all
}

for (const [name, make] of Object.entries(PICKERS)) {
  t.test(
    `health: ${name} asks an ejected endpoint only in a panic, or for lack of others`,
    async (t) => {
      const endpoints = three()
      const [first, second, third] = endpoints
      const picker = make(endpoints)
      first.ejectedUntil = 1000
      t.same(seen(picker, { now: 999 }), new Set([second, third]))
      t.equal(seen(picker, { now: 999, isPanicking: true }).size, 3)
      t.equal(seen(picker, { now: 1000 }).size, 3, 'its time is over')
      second.ejectedUntil = 1000
      third.ejectedUntil = 1000
      t.equal(seen(picker).size, 3, 'all are out: any of them all the same')
      t.equal(pick(picker, { tried: [first, third] }), second)
    },
  )

  t.test(
    `health: ${name} prefers an ejected endpoint to one that cannot be connected to`,
    async (t) => {
      const endpoints = three()
      const [first, second, third] = endpoints
      const picker = make(endpoints)
      first.connectFailed(0)
      second.ejectedUntil = 1000
      third.connectFailed(0)
      t.same(seen(picker), new Set([second]))
      t.same(seen(picker, { isPanicking: true }), new Set([second]), 'a panic connects nobody')
      first.ejectedUntil = 1000
      t.same(seen(picker, { tried: [second] }), new Set([first, third]))
    },
  )

  t.test(
    `health: ${name} passes over one that comes back, until its share reaches the lot`,
    async (t) => {
      const endpoints = three()
      const [first, second, third] = endpoints
      const picker = make(endpoints)
      first.rampsFrom = 1000
      first.rampsUntil = 11_000
      const others = new Set([second, third])
      t.same(seen(picker, { now: 1000, lot: 0.1 }), others)
      t.equal(seen(picker, { now: 1000, lot: 0.0999 }).size, 3)
      t.same(seen(picker, { now: 6000, lot: 0.551 }), others)
      t.equal(seen(picker, { now: 6000, lot: 0.549 }).size, 3)
      t.equal(seen(picker, { now: 11_000, lot: 0.9999 }).size, 3)
      t.equal(seen(picker, { now: 1000 }).size, 3, 'a choice without a lot')
    },
  )

  t.test(
    `health: ${name} takes who comes back before who is ejected, and somebody always`,
    async (t) => {
      const endpoints = three()
      const [first, second, third] = endpoints
      const picker = make(endpoints)
      first.rampsFrom = 0
      first.rampsUntil = 10_000
      second.ejectedUntil = 1000
      third.connectFailed(0)
      t.same(seen(picker, { lot: 0.99 }), new Set([first]))
      t.same(seen(picker, { lot: 0.99, tried: [first] }), new Set([second]))
      t.same(seen(picker, { lot: 0.99, tried: [first, second] }), new Set([third]))
      t.equal(pick(picker, { lot: 0.99, tried: endpoints }), undefined)
    },
  )

  t.test(`health: ${name} of many endpoints falls on those that are well`, async (t) => {
    const endpoints = endpointsOf(...Array.from({ length: 60 }, (_, at) => 1 + (at % 3)))
    for (const endpoint of endpoints.slice(0, 30)) endpoint.ejectedUntil = 1000
    for (const endpoint of endpoints.slice(30, 57)) {
      endpoint.rampsFrom = 0
      endpoint.rampsUntil = 100_000
    }
    const picker = make(endpoints)
    t.same(seen(picker, { lot: 0.5 }), new Set(endpoints.slice(57)))
    t.notOk([...seen(picker, { lot: 0.05 })].some((each) => (each?.ejectedUntil ?? 0) > 0))
  })
}

t.test('health: the share of one that comes back is what its lot says', async (t) => {
  for (const [now, share] of [
    [0, 0.1],
    [5000, 0.55],
    [9000, 0.91],
  ] as const) {
    const endpoints = three()
    endpoints[0].rampsFrom = 0
    endpoints[0].rampsUntil = 10_000
    const random = seededRandom(9)
    const picker = makePicker({ algorithm: 'random', affinity: NONE }, endpoints, random)
    const counts = [0, 0, 0]
    for (let turn = 0; turn < 30_000; turn += 1) {
      const picked = pick(picker, { now, lot: random() })
      const at = picked === undefined ? -1 : endpoints.indexOf(picked)
      counts[at] = (counts[at] ?? 0) + 1
    }
    isNear(t, counts, [share / 3, (1 - share / 3) / 2, (1 - share / 3) / 2])
  }
})

for (const [algorithm, affinity] of [
  ['ringHash', NONE],
  ['maglev', NONE],
  ['leastRequest', { kind: 'header', name: 'x-user' }],
] as const) {
  t.test(
    `health: ${algorithm}, clients stay, go elsewhere together, and come back once`,
    async (t) => {
      const endpoints = endpointsOf(1, 1, 1, 1, 1)
      const picker = makePicker({ algorithm, affinity }, endpoints, RANDOM)
      const [first] = endpoints
      if (first === undefined) throw new Error()
      const clients = Array.from({ length: 400 }, (_, at) => Math.imul(at + 1, 0x9e3779b9) >>> 0)
      const all = (wish: Wish): (Endpoint | undefined)[] =>
        clients.map((client) => pick(picker, { affinity: client, ...wish }))
      const homes = all({})
      first.ejectedUntil = 1000
      const away = all({})
      t.same(all({}), away, 'to a stable other one')
      t.ok(
        homes.every((home, at) => home === first || home === away[at]),
        'nobody else moves',
      )
      t.notOk(away.includes(first))
      first.ejectedUntil = 0
      first.rampsFrom = 1000
      first.rampsUntil = 11_000
      const isBack = clients.map(() => false)
      for (let now = 1000; now <= 11_000; now += 500) {
        for (const [at, client] of clients.entries()) {
          // As balancing draws it: the same for a client each time.
          const lot = (Math.imul(client, 0x9e3779b1) >>> 0) / 2 ** 32
          const picked = pick(picker, { affinity: client, now, lot })
          if (isBack[at] === true && picked !== homes[at]) t.fail('went away again')
          if (picked !== homes[at] && picked !== away[at]) t.fail('went to a third one')
          isBack[at] = picked === homes[at]
        }
      }
      t.ok(isBack.every(Boolean))
    },
  )
}

t.test('usable: levels, from the best to nobody', async (t) => {
  const endpoints = three()
  const [first, second, third] = endpoints
  const choice = {
    ...{ source: '', tried: [] as Endpoint[], now: 500, affinity: -1 },
    ...{ isPanicking: false, lot: 0.5 },
  }
  first.connectFailed(0)
  second.ejectedUntil = 1000
  third.rampsFrom = 400
  third.rampsUntil = 10_400
  t.equal(levelOf(endpoints, choice), Level.returning)
  t.same(
    endpoints.map((each) => isUsable(each, choice, Level.returning)),
    [false, false, true],
  )
  t.notOk(endpoints.some((each) => isWell(each, choice)))
  t.equal(levelOf(endpoints, { ...choice, tried: [third] }), Level.ejected)
  t.equal(levelOf(endpoints, { ...choice, tried: [second, third] }), Level.avoided)
  t.equal(levelOf(endpoints, { ...choice, tried: endpoints }), Level.nobody)
  t.equal(levelOf([], choice), Level.nobody)
  t.equal(levelOf(endpoints, { ...choice, isPanicking: true }), Level.well)
  t.equal(levelOf(endpoints, { ...choice, lot: 0.1 }), Level.well)
  t.equal(levelOf(endpoints, { ...choice, lot: NaN }), Level.well)
})

t.test('usable: where the first endpoint is well nobody else is looked at', async (t) => {
  const [first] = endpointsOf(1)
  if (first === undefined) throw new Error()
  const others = new Proxy([first, first], {
    get(target, key): unknown {
      if (key === '1') throw new Error('looked at')
      return Reflect.get(target, key) as unknown
    },
  })
  const choice = { source: '', tried: [], now: 0, affinity: -1, isPanicking: false, lot: NaN }
  t.equal(levelOf(others, choice), Level.well)
})
