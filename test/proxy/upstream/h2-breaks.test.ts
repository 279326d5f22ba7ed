// Responses over HTTP/2 that break off while their client does not take them: its bytes stay its own, and its request is
// not held up.

import t from 'tap'
import {
  data,
  END_HEADERS,
  END_STREAM,
  headers,
  response,
  rstStream,
  windowUpdate,
} from '../../support/h2-wire.ts'
import { until } from '../../support/until.ts'
import type { Attacker } from '../attacks/attacker.ts'
import { get, onBoth, rawServer, Way } from './h2-fixture.ts'

for (const isWhole of [false, true]) {
  const what = isWhole ? 'a whole response' : 'a part of one'
  onBoth(t, `h2 breaks: ${what} in the read that ends the connection`, async (t, kind) => {
    let endpoint: Attacker | undefined
    let asked = 0
    const port = await rawServer(t, (from, id) => {
      asked += 1
      endpoint ??= from
      from.send(headers(id, response(200), END_HEADERS))
      // Somebody else's, on a new connection, which reads where the first one had read.
      if (asked > 1) from.send(data(id, 'SECRET'.repeat(150), END_STREAM))
      else from.send(data(id, 'a'))
    })
    const way = new Way(t, [port], { kind })
    const slow = way.send(get('/one'))
    await until('it has begun', () => slow.text === 'a')
    slow.isSlow = true
    endpoint?.send(data(1, 'x'.repeat(1000), isWhole ? END_STREAM : 0), windowUpdate(0, 0))
    await until('all of it is there', () => slow.text.length === 1001)
    const other = await way.send(get('/two')).done()
    t.equal(other.text.length, 900)
    t.equal(slow.outcome, undefined)
    t.ok(slow.take(), 'what it was given is still as it was')
    t.equal(slow.text, `a${'x'.repeat(1000)}`)
    t.equal(slow.outcome, isWhole ? '' : 'response-incomplete')
    t.same([way.endpoint().open, way.destination.open], [0, way.connected])
  })
}

for (const ending of ['reset', 'lost', 'whole']) {
  onBoth(t, `h2 breaks: an upload beside a response that is ${ending}`, async (t, kind) => {
    let endpoint: Attacker | undefined
    const port = await rawServer(t, (from, id) => {
      endpoint = from
      from.send(headers(id, response(200), END_HEADERS), data(id, 'a'))
    })
    const way = new Way(t, [port], { kind })
    const caller = way.caller('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
    caller.isWhole = false
    way.send(caller)
    await until('it has begun', () => caller.text === 'a')
    caller.isSlow = true
    t.notOk(caller.give('y'.repeat(100_000)), 'the endpoint takes no more')
    endpoint?.send(data(1, 'x'.repeat(1000)))
    await until('it is held back', () => caller.text.length === 1001)
    t.equal(caller.resumes, 0)
    if (ending === 'lost') endpoint?.close()
    else if (ending === 'reset') endpoint?.send(rstStream(1, 8))
    else endpoint?.send(data(1, '', END_STREAM), rstStream(1, 0))
    await until('it may go on', () => caller.resumes > 0)
    t.ok(caller.give('y'.repeat(100_000)), 'and what it gives is dropped')
    t.ok(caller.take())
    t.equal((await caller.done()).outcome, ending === 'whole' ? '' : 'response-incomplete')
    t.same([way.endpoint().open, way.destination.open], [0, way.connected])
  })
}
