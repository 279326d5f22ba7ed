// Connections of HTTP/2 to real servers: shared, opened when more are needed, left when they are to end.

import t from 'tap'
import { until } from '../../support/until.ts'
import { get, onBoth, post, server, Way } from './h2-fixture.ts'

onBoth(t, 'h2 pool: requests share one connection, and answers come in any order', async (t, kind) => {
  const s = await server(t, () => undefined)
  const way = new Way(t, [s], { kind })
  const callers = Array.from({ length: 50 }, (_, at) => way.send(get(`/${at}`)))
  await until('all are asked', () => s.asked.length === 50)
  for (const asked of [...s.asked].reverse()) asked.ok(`you asked ${asked.path}`)
  for (const [at, caller] of callers.entries()) {
    await caller.done()
    t.same([caller.outcome, caller.status, caller.text], ['', 200, `you asked /${at}`])
  }
  t.same([s.sessions.length, way.connected, way.destination.open], [1, 1, 1])
  t.equal(way.destination.picker.endpoints[0]?.open, 0)
})
