// SETTINGS_INITIAL_WINDOW_SIZE as a lever: one small frame about all streams.

import t from 'tap'
import { H2Rig } from '../../support/h2-rig.ts'
import { headers, request, settings, Type, windowUpdate } from '../../support/h2-wire.ts'

const INITIAL_WINDOW = 4
const CALM = 'ENHANCE_YOUR_CALM'

/** A connection with so many streams whose responses wait for a window. */
function waiting(streams: number): H2Rig {
  const rig = new H2Rig({ manners: { answers: 'head', body: Buffer.alloc(40_000) } })
  rig.feed(settings([INITIAL_WINDOW, 0]), windowUpdate(0, 1_000_000_000))
  for (let i = 0; i < streams; i++) rig.feed(headers(1 + 2 * i, request()))
  rig.pass(1)
  rig.take()
  return rig
}

t.test('attacks: a byte more for a thousand streams, again and again', async (t) => {
  const rig = waiting(1000)
  let sent = 0
  for (let window = 1; window < 1000 && rig.failures.length === 0; window++) {
    rig.feed(settings([INITIAL_WINDOW, window]))
    sent += rig.take().filter(({ type }) => type === Type.data).length
  }
  t.strictSame(rig.failures, [CALM], 'what it makes us send does not pay for it')
  t.strictSame(rig.limited, ['control-frames'])
  t.ok(sent <= 200_000, `${sent} frames of DATA for it`)
})

t.test('attacks: a window that is looked for by a client in good order', async (t) => {
  const rig = waiting(1000)
  // As clients do that measure how much is on its way.
  for (let window = 1024; window <= 16_384; window *= 2)
    rig.feed(settings([INITIAL_WINDOW, window]))
  t.strictSame(rig.failures, [])
  const few = waiting(10)
  for (let window = 1; window < 900; window++) few.feed(settings([INITIAL_WINDOW, window]))
  t.strictSame(few.failures, [])
})

t.test('attacks: many windows in one frame are one', async (t) => {
  const rig = waiting(10)
  const values = Array.from({ length: 31 }, (_, i) => [INITIAL_WINDOW, i % 2] as const)
  rig.feed(settings(...values, [INITIAL_WINDOW, 7]))
  const sent = rig.take().filter(({ type }) => type === Type.data)
  t.strictSame(
    sent.map(({ payload }) => payload.length),
    Array.from({ length: 10 }, () => 7),
  )
  rig.feed(settings([INITIAL_WINDOW, 0x7fff_ffff], [INITIAL_WINDOW, 8]))
  t.equal(rig.take().filter(({ type }) => type === Type.data).length, 10)
  t.strictSame(rig.failures, [])
})
