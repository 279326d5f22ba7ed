// A choice is made for every request and leaves nothing behind for the collector.
//
// Only the system's chance and one picker of a kind are used here, as in a proxy: what V8 has compiled for one kind
// of function it compiles for another in a costlier way.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext, runInThisContext } from 'node:vm'
import t from 'tap'
import { ALGORITHMS, type SessionAffinity } from '../../../src/api/resources.ts'
import { systemRandom } from '../../../src/lib/random.ts'
import { makeAffinity } from '../../../src/proxy/balance/affinity.ts'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import type { Picker } from '../../../src/proxy/stack/destination.ts'
import { type Exchange, NO_AFFINITY } from '../../../src/proxy/stack/exchange.ts'
import { BoxedNumbers } from '../../support/boxed-numbers.ts'
import { endpointsOf, exchangeOf } from './fixture.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

// A machine that is busy elsewhere compiles late.
t.setTimeout(120_000)

const PICKS = 100_000
/** A number object for every pick would be 1.6 MB; what is left is for the compiler and for this test. */
const MOST_BYTES = 200_000

const TIMES = new BoxedNumbers()
TIMES.fill(1000.5, PICKS, 1 / 16)

function pickAll(picker: Picker, withAffinity: boolean): () => void {
  const exchange = exchangeOf([])
  return () => {
    runPicks(picker, exchange, withAffinity)
  }
}

function runPicks(picker: Picker, exchange: Exchange, withAffinity: boolean): void {
  for (let turn = 0; turn < PICKS; turn += 1) {
    const now = TIMES.at(turn)
    exchange.begin(now)
    if (withAffinity) exchange.affinity = turn
    const endpoint = picker.pick(exchange)
    if (endpoint === undefined) throw new Error('nobody')
    picker.answered(endpoint, 1.5, now)
  }
}

/** The least of some rounds: compilation, which may fall into any, is not what is asked for. */
function bytesOf(run: () => void, rounds = 200): number {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds && least > MOST_BYTES; round += 1) {
    collect()
    const before = process.memoryUsage().heapUsed
    run()
    least = Math.min(least, process.memoryUsage().heapUsed - before)
  }
  return least
}

t.test('allocation: the measure sees one small object a pick', async (t) => {
  const kept = { last: {} }
  const [first] = endpointsOf(1)
  const wasteful: Picker = {
    endpoints: [],
    pick(choice) {
      kept.last = { now: choice.now }
      return first
    },
    answered: () => undefined,
  }
  t.ok(bytesOf(pickAll(wasteful, false), 4) > MOST_BYTES)
})

for (const kind of ['none', 'sourceIp'] as const) {
  for (const algorithm of ALGORITHMS) {
    for (const count of [3, 40]) {
      for (const isEven of [true, false]) {
        const what = `${count} ${isEven ? 'equal' : 'weighted'} endpoints, affinity ${kind}`
        t.test(`allocation: ${algorithm} of ${what} makes nothing`, async (t) => {
          const weights = Array.from({ length: count }, (_, at) => (isEven ? 1 : 1 + (at % 3)))
          const endpoints = endpointsOf(...weights)
          const picker = makePicker({ algorithm, affinity: { kind } }, endpoints, systemRandom)
          const bytes = bytesOf(pickAll(picker, kind !== 'none'))
          t.ok(bytes <= MOST_BYTES, `${bytes} bytes for ${PICKS} picks`)
        })
      }
    }
  }
}

const AFFINITIES: readonly SessionAffinity[] = [
  { kind: 'sourceIp' },
  { kind: 'header', name: 'x-user' },
  { kind: 'cookie', name: 'sid', ttl: 1000 },
]

for (const wanted of AFFINITIES) {
  t.test(`allocation: reading affinity by ${wanted.kind} makes nothing`, async (t) => {
    const affinity = makeAffinity(wanted)
    if (affinity === undefined) throw new Error()
    const exchange = exchangeOf(['X-User: ann', 'Accept: */*', 'Cookie: a=1; sid=abcdef; b=2'])
    const bytes = bytesOf(() => {
      for (let turn = 0; turn < PICKS; turn += 1) {
        exchange.affinity = NO_AFFINITY
        affinity.read(exchange)
      }
    })
    t.ok(exchange.affinity >= 0)
    t.ok(bytes <= MOST_BYTES, `${bytes} bytes for ${PICKS} reads`)
  })
}

t.test('allocation: endpoints and exchanges keep their shape', async (t) => {
  setFlagsFromString('--allow-natives-syntax')
  const sameShape = runInThisContext('(one, other) => %HaveSameMap(one, other)') as (
    one: object,
    other: object,
  ) => boolean
  const picker = makePicker(
    { algorithm: 'peakEwma', affinity: { kind: 'none' } },
    endpointsOf(...new Array<number>(30).fill(1)),
    systemRandom,
  )
  const [fresh, used] = picker.endpoints
  if (fresh === undefined || used === undefined) throw new Error()
  picker.pick(exchangeOf([]))
  picker.answered(used, 3, 1000)
  picker.answered(used, 2.5, 1000.25)
  t.ok(sameShape(fresh, used))
  const affinity = makeAffinity({ kind: 'header', name: 'x-user' })
  const exchanges = Array.from({ length: 50 }, (_, at) => exchangeOf([`X-User: ${at}`]))
  for (const exchange of exchanges.slice(1)) affinity?.read(exchange)
  const [before] = exchanges
  if (before === undefined) throw new Error()
  t.ok(exchanges.every((exchange) => sameShape(before, exchange)))
})
