// Room on connections of HTTP/2 that comes late, or for a moment only: nobody who waits for it is forgotten, or hears
// of the stream whose place it gets.

import t from 'tap'
import {
  data,
  END_HEADERS,
  END_STREAM,
  headers,
  response,
  rstStream,
} from '../../support/h2-wire.ts'
import { until } from '../../support/until.ts'
import type { Attacker } from '../attacks/attacker.ts'
import { get, onBoth, post, rawServer, server, Way } from './h2-fixture.ts'

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
    const asked: number[] = []
    let endpoint: Attacker | undefined
    const MAX_CONCURRENT_STREAMS = 3
    const port = await rawServer(
      t,
      (from, id) => {
        endpoint = from
        asked.push(id)
      },
      [[MAX_CONCURRENT_STREAMS, 1]],
    )
    const answer = (at: number): void => {
      const id = asked[at] ?? 0
      endpoint?.send(headers(id, response(200), END_HEADERS), data(id, 'x', END_STREAM))
    }
    const way = new Way(t, [port], { kind, maxConnections: 1 })
    const early = way.send(get('/settings'))
    await until('it is asked', () => asked.length === 1)
    answer(0)
    await early.done()
    const upload = way.caller(post('x', '/upload'))
    upload.isWhole = false
    way.send(upload)
    await until('it is asked', () => asked.length === 2)
    const next = way.send(get('/next'))
    answer(1)
    t.equal((await upload.done()).outcome, '')
    await until('the next is asked', () => asked.length === 3)
    endpoint?.send(rstStream(asked[1] ?? 0, 0))
    answer(2)
    t.equal((await next.done()).outcome, '')
    t.same([way.resends, asked.length], [0, 3])
    t.same([way.endpoint().open, way.destination.open], [0, way.connected])
  },
)
