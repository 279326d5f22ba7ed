// Room on connections of HTTP/2 that comes late, or for a moment only: nobody who waits for it is forgotten, or hears
// of the stream whose place it gets.

import t from 'tap'
import { until } from '../../support/until.ts'
import { get, onBoth, post, server, Way } from './h2-fixture.ts'

onBoth(
  t,
  'h2 room: an endpoint that allows one stream at a time, and takes its time',
  async (t, kind) => {
    const s = await server(t, () => undefined, { maxConcurrentStreams: 1 })
    const way = new Way(t, [s], { kind })
    const callers = Array.from({ length: 6 }, (_, at) => way.send(get(`/${at}`)))
    await until(
      'all are asked, or have failed',
      () => s.asked.length === 6 || callers.some(({ outcome }) => outcome !== undefined),
    )
    for (const asked of s.asked) asked.ok('x')
    for (const caller of callers) t.equal((await caller.done()).outcome, '')
    t.same([way.endpoint().open, way.destination.open], [0, way.connected])
  },
)

onBoth(
  t,
  'h2 room: who gets the place of a stream that is reset late is not reset',
  async (t, kind) => {
    const s = await server(t, () => undefined, { maxConcurrentStreams: 1 })
    const way = new Way(t, [s], { kind, maxConnections: 1 })
    const early = way.send(get('/settings'))
    await until('it is asked', () => s.asked.length === 1)
    s.asked[0]?.ok('x')
    await early.done()
    const upload = way.send(post('x'.repeat(300_000), '/upload'))
    await until('it is asked', () => s.asked.length === 2)
    s.asked[1]?.stream.pause()
    const next = way.send(get('/next'))
    s.asked[1]?.ok('enough')
    await upload.done()
    t.equal(upload.outcome, '')
    s.asked[1]?.stream.close(0)
    await until('the next is asked', () => s.asked.length >= 3)
    t.equal(next.outcome, undefined)
    s.asked.at(-1)?.ok('x')
    await next.done()
    t.same([next.outcome, way.resends, s.asked.length], ['', 0, 3])
    t.same([way.endpoint().open, way.destination.open], [0, way.connected])
  },
)
