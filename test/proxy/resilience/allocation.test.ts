// Watching the health of endpoints leaves nothing behind for the collector, request by request.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { BoxedNumbers } from '../../support/boxed-numbers.ts'
import { exchangeOf } from '../balance/fixture.ts'
import { Watched } from './watched.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

t.setTimeout(120_000)

const REQUESTS = 100_000
/** A number object for every request would be 1.6 MB; what is left is for the compiler and for this test. */
const MOST_BYTES = 200_000

t.test('allocation: a request that is watched makes nothing', async (t) => {
  const w = new Watched(3, { minSuccessRate: 0.5, slowerThanPeers: 5 })
  const exchange = exchangeOf([])
  const endpoint = w.at(0)
  const { health } = w
  const times = new BoxedNumbers()
  let start = 20_000.5
  const run = (): void => {
    for (let turn = 0; turn < REQUESTS; turn += 1) {
      exchange.begin(times.at(turn))
      health.chosen(exchange, endpoint)
      exchange.now = times.at(turn + 1)
      exchange.status = 200
      health.answered(exchange, endpoint)
      health.left(exchange, endpoint)
    }
  }
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 100 && least > MOST_BYTES; round += 1) {
    times.fill(start, REQUESTS + 1, 0.0625)
    start += REQUESTS * 0.0625
    collect()
    const before = process.memoryUsage().heapUsed
    run()
    least = Math.min(least, process.memoryUsage().heapUsed - before)
  }
  t.ok(least <= MOST_BYTES, `${least} bytes for ${REQUESTS} requests`)
  t.equal(w.state(), 'closed')
})
