// Clients that stay with an endpoint: rendezvous hashing, the ring and the table. Who moves when the endpoints
// change, who takes over, and that shares follow the weights.

import t from 'tap'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { hashText } from '../../../src/proxy/balance/hash.ts'
import { LeastRequest } from '../../../src/proxy/balance/least-request.ts'
import { Maglev } from '../../../src/proxy/balance/maglev.ts'
import { Rendezvous } from '../../../src/proxy/balance/rendezvous.ts'
import { RingHash } from '../../../src/proxy/balance/ring-hash.ts'
import type { Picker } from '../../../src/proxy/stack/destination.ts'
import type { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { endpointsOf, isNear, pick, shares } from './fixture.ts'

// Thousands of clients on a machine that is busy elsewhere.
t.setTimeout(120_000)

const RANDOM: Random = seededRandom(11)

interface Scheme {
  readonly make: (endpoints: readonly Endpoint[], bySource?: boolean) => Picker
  /** How far a share may be from its weight's. */
  readonly uneven: number
  /** The part of all clients that may move although their endpoint is still there. */
  readonly excess: number
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  rendezvous: {
    make: (endpoints, bySource = true) =>
      new Rendezvous(new LeastRequest(endpoints, RANDOM), bySource),
    ...{ uneven: 0.08, excess: 0 },
  },
  ringHash: {
    make: (endpoints, bySource = true) => new RingHash(endpoints, bySource, RANDOM),
    ...{ uneven: 0.25, excess: 0 },
  },
  maglev: {
    make: (endpoints, bySource = true) => new Maglev(endpoints, bySource, RANDOM),
    ...{ uneven: 0.08, excess: 0.05 },
  },
}

const SOURCES: readonly string[] = Array.from({ length: 10_000 }, (_, at) => {
  return at % 5 === 0 ? `fd00::${at.toString(16)}` : `10.${at >> 13}.${(at >> 8) & 31}.${at & 255}`
})

type Place = string | undefined

function placesOf(picker: Picker, wish: { tried?: readonly Endpoint[] } = {}): Place[] {
  return SOURCES.map((source) => pick(picker, { source, ...wish })?.key)
}

const without = (endpoints: readonly Endpoint[], gone: number): Endpoint[] =>
  endpoints.filter((_, at) => at !== gone)

function countsOf(endpoints: readonly Endpoint[], places: readonly Place[]): number[] {
  const counts = new Map<Place, number>()
  for (const place of places) counts.set(place, (counts.get(place) ?? 0) + 1)
  return endpoints.map(({ key }) => counts.get(key) ?? 0)
}

for (const [name, { make, uneven, excess }] of Object.entries(SCHEMES)) {
  t.test(
    `${name}: the same client at the same endpoint, in whatever order they stand`,
    async (t) => {
      const endpoints = endpointsOf(1, 1, 3, 1, 2)
      const places = placesOf(make(endpoints))
      t.same(places, placesOf(make(endpoints)))
      t.same(places, placesOf(make([...endpoints].reverse())))
    },
  )

  t.test(`${name}: the hash of a request goes before the client's address`, async (t) => {
    const picker = make(endpointsOf(1, 1, 1, 1))
    for (const [at, source] of SOURCES.slice(0, 200).entries()) {
      const byAddress = pick(picker, { source })
      t.equal(pick(picker, { source: '', affinity: hashText(source) }), byAddress)
      t.equal(pick(picker, { source: `10.9.9.${at}`, affinity: hashText(source) }), byAddress)
    }
  })

  t.test(`${name}: clients are spread by weight`, async (t) => {
    for (const weights of [[1, 1, 1], [1, 2, 7], [50, 100], Array.from({ length: 60 }, () => 4)]) {
      const endpoints = endpointsOf(...weights)
      const counts = countsOf(endpoints, placesOf(make(endpoints)))
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      for (const [at, count] of counts.entries()) {
        const mean = (SOURCES.length * (weights[at] ?? 0)) / total
        const may = mean * uneven + 4 * Math.sqrt(mean)
        t.ok(Math.abs(count - mean) < may, `${count} of ${weights.join(' ')}, about ${mean}`)
      }
    }
  })

  t.test(
    `${name}: when an endpoint goes its clients move, hardly any other, and return`,
    async (t) => {
      for (let seed = 1; seed <= 6; seed += 1) {
        const random = seededRandom(seed)
        const count = 3 + Math.floor(random() * 30)
        const endpoints = endpointsOf(
          ...Array.from({ length: count }, () =>
            seed % 2 === 0 ? 1 : 1 + Math.floor(random() * 4),
          ),
        )
        const gone = Math.floor(random() * count)
        const key = endpoints[gone]?.key
        const before = placesOf(make(endpoints))
        const after = placesOf(make(without(endpoints, gone)))
        const others = before.filter((place, at) => place !== key && place !== after[at]).length
        t.ok(
          others <= SOURCES.length * excess,
          `seed ${seed}: ${others} of others, ${count} endpoints`,
        )
        t.notOk(after.includes(key))
        t.same(placesOf(make(endpoints)), before, 'all are back with it')
      }
    },
  )

  t.test(
    `${name}: the clients of one that is away go to all others, each always to the same`,
    async (t) => {
      const endpoints = endpointsOf(1, 1, 1, 1, 1)
      const picker = make(endpoints)
      const [away] = endpoints
      if (away === undefined) throw new Error()
      const before = placesOf(picker)
      away.connectFailed(0)
      const avoided = placesOf(picker)
      t.same(avoided, placesOf(picker, { tried: [away] }), 'whether it is avoided or was tried')
      const moved = avoided.filter((_, at) => before[at] === away.key)
      t.same(
        avoided.filter((_, at) => before[at] !== away.key),
        before.filter((place) => place !== away.key),
        'nobody else moves',
      )
      const counts = countsOf(endpoints.slice(1), moved)
      for (const count of counts) {
        t.ok(
          count > moved.length * 0.15 && count < moved.length * 0.35,
          `${count} of ${moved.length}`,
        )
      }
      away.proved()
      t.same(placesOf(picker), before, 'they return')
    },
  )

  t.test(`${name}: a client that is to stay nowhere goes anywhere, by weight`, async (t) => {
    const weights = [1, 3, 2, 2]
    const picker = make(endpointsOf(...weights), false)
    const counts = shares(picker, 20_000, { source: '10.0.0.1' })
    const total = 8
    for (const [at, count] of counts.entries()) {
      const mean = (20_000 * (weights[at] ?? 0)) / total
      t.ok(Math.abs(count - mean) < mean * uneven + 4 * Math.sqrt(mean), `${count}, about ${mean}`)
    }
  })
}

t.test('rendezvous: when an endpoint comes, only the clients that it wins move', async (t) => {
  const endpoints = endpointsOf(1, 1, 1, 1, 1)
  const { make } = SCHEMES['rendezvous'] ?? {}
  if (make === undefined) throw new Error()
  const before = placesOf(make(endpoints.slice(0, 4)))
  const after = placesOf(make(endpoints))
  const moved = after.filter((key, at) => key !== before[at])
  t.ok(moved.every((key) => key === endpoints[4]?.key))
  isNear(t, [moved.length, after.length - moved.length], [1, 4])
})

t.test('rendezvous: without affinity the algorithm decides, and hears of answers', async (t) => {
  const endpoints = endpointsOf(1, 1)
  const [first, second] = endpoints
  if (first === undefined || second === undefined) throw new Error()
  const heard: unknown[] = []
  const others: Picker = {
    endpoints,
    pick: () => second,
    answered: (...all) => {
      heard.push(all)
    },
  }
  const picker = new Rendezvous(others, false)
  for (let turn = 0; turn < 20; turn += 1) t.equal(pick(picker, { source: '10.0.0.1' }), second)
  picker.answered(first, 7, 9)
  t.same(heard, [[first, 7, 9]])
  t.ok(Array.from({ length: 40 }, (_, at) => pick(picker, { affinity: at })).includes(first))
})

t.test('ringHash: however many there are, one more moves only what it wins', async (t) => {
  for (let count = 1; count < 20; count += 1) {
    const endpoints = endpointsOf(...Array.from({ length: count + 1 }, (_, at) => 1 + (at % 2)))
    const before = placesOf(new RingHash(endpoints.slice(0, count), true, RANDOM))
    const after = placesOf(new RingHash(endpoints, true, RANDOM))
    const moved = after.filter((place, at) => place !== before[at])
    t.ok(moved.length > 0 && moved.every((place) => place === endpoints[count]?.key), `${count}`)
  }
})

t.test('ringHash: where the scale changes, at most two thirds move', async (t) => {
  // 257 endpoints have 128 points each, 256 of them 256.
  const endpoints = endpointsOf(...Array.from({ length: 257 }, () => 1))
  const before = placesOf(new RingHash(endpoints, true, RANDOM))
  const after = placesOf(new RingHash(endpoints.slice(1), true, RANDOM))
  const moved = before.filter((place, at) => place !== after[at]).length
  t.ok(moved > 0 && moved < (SOURCES.length * 2) / 3, `${moved} of ${SOURCES.length}`)
})

t.test('ringHash, maglev: weights as far apart as may be', async (t) => {
  for (const scheme of ['ringHash', 'maglev']) {
    const endpoints = endpointsOf(1000, 1, 1000)
    const picker = SCHEMES[scheme]?.make(endpoints)
    if (picker === undefined) throw new Error()
    const [light = 0] = countsOf(endpoints.slice(1, 2), placesOf(picker))
    t.ok(light < 60, `${scheme}: ${light}`)
    t.equal(
      pick(picker, { tried: [endpoints[0], endpoints[2]].flatMap((each) => each ?? []) }),
      endpoints[1],
    )
  }
})
