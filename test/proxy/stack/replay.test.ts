// What is kept of requests, one after another, in memory that is used again.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import type { Head } from '../../../src/proxy/http/head.ts'
import { Replay } from '../../../src/proxy/stack/replay.ts'
import { exchangeOf } from '../balance/fixture.ts'
import { streamedRequest } from '../http/streamed.ts'
import { exchangeWith } from './exchanges.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

t.setTimeout(120_000)

const REQUESTS = 100_000
/** As for choices (balance/allocation.test.ts): an object for every request would be 1.6 MB at least. */
const MOST_BYTES = 200_000

const text = ({ bytes, start, end }: Head): string => bytes.toString('latin1', start, end)

/** Gives everything to the attempt of that number. */
function given(replay: Replay, attempt: number): string {
  let all = ''
  replay.giveTo(
    { body: (bytes, start, end) => (all += bytes.toString('latin1', start, end)) },
    attempt,
  )
  return all
}

t.test('replay: a request after another, and nothing of the one in the other', async (t) => {
  const replay = new Replay()
  const heads = ['X-A: 1', `X-Long: ${'y'.repeat(3000)}`, 'X-B: 2'].map(
    (field) => exchangeOf([field]).request,
  )
  for (const [at, head] of heads.entries()) {
    replay.begin(head)
    const expected = text(head)
    head.bytes.fill(0)
    t.equal(replay.head.toString('latin1'), expected)
    t.same([replay.length, replay.isCut], [0, false])
    t.equal(given(replay, 1), '', 'of this one nothing was given yet')
    replay.add(Buffer.from(`-body ${at}-`), 1, 7)
    t.equal(given(replay, 1), '', 'it is being given as it comes')
    t.equal(given(replay, 2), `body ${at}`)
    t.equal(given(replay, 2), '', 'once')
  }
  replay.begin(streamedRequest())
  t.equal(replay.head.length, 0, 'what stays where it is is not copied')
  replay.add(Buffer.alloc(65_537), 0, 65_537)
  t.ok(replay.isCut)
  replay.begin(streamedRequest())
  t.notOk(replay.isCut)
})

t.test(
  'replay: the memory of a small body is used again, that of a large one is not',
  async (t) => {
    const replay = new Replay()
    const kept = (size: number): ArrayBufferLike => {
      replay.begin(streamedRequest())
      replay.add(Buffer.alloc(size), 0, size)
      return replay.body.buffer
    }
    const small = kept(3000)
    t.equal(kept(10), small)
    t.equal(kept(4096), small)
    const large = kept(20_000)
    t.not(large, small)
    const next = kept(10)
    t.not(next, large)
    t.equal(next.byteLength, 4096)
  },
)

t.test('replay: an exchange has one for all its requests, until it rests', async (t) => {
  const exchange = exchangeOf([])
  exchange.keepForReplay()
  const { replay } = exchange
  exchange.begin(0)
  t.equal(exchange.replay, undefined)
  t.equal(exchange.rewind(), false)
  exchange.keepForReplay()
  t.equal(exchange.replay, replay)
  exchange.rest()
  exchange.keepForReplay()
  t.not(exchange.replay, replay)
})

t.test('replay: an exchange that is over holds no large body', async (t) => {
  const exchange = exchangeWith(streamedRequest())
  exchange.settle()
  exchange.keepForReplay()
  const { replay } = exchange
  replay?.add(Buffer.alloc(60_000), 0, 60_000)
  exchange.kept = Buffer.from('x')
  exchange.settle()
  t.same([exchange.kept, replay?.length], [undefined, 0])
  exchange.begin(0)
  exchange.keepForReplay()
  t.equal(exchange.replay, replay, 'but is ready for the next')
  replay?.add(Buffer.from('abc'), 0, 3)
  t.equal(replay?.body.buffer.byteLength, 4096)
})

t.test('replay: to keep a request makes nothing', async (t) => {
  const body = Buffer.alloc(100)
  for (const [what, exchange] of [
    ['HTTP/1.1', exchangeOf([])],
    ['HTTP/2 without a body', exchangeWith(streamedRequest({ hasBody: false }))],
    ['HTTP/2 with one', exchangeWith(streamedRequest())],
  ] as const) {
    const run = (): void => {
      for (let turn = 0; turn < REQUESTS; turn += 1) {
        exchange.begin(0.5)
        exchange.keepForReplay()
        exchange.replay?.add(body, 0, body.length)
      }
    }
    let least = Number.POSITIVE_INFINITY
    for (let round = 0; round < 100 && least > MOST_BYTES; round += 1) {
      collect()
      const before = process.memoryUsage().heapUsed
      run()
      least = Math.min(least, process.memoryUsage().heapUsed - before)
    }
    t.ok(least <= MOST_BYTES, `${what}: ${least} bytes for ${REQUESTS} requests`)
  }
})
