// A client that is gone when the wire is done with its stream, but the proxy is not: the endpoint has answered and still
// does not take the request.

import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import {
  CLIENT_START,
  data,
  END_HEADERS,
  END_STREAM,
  headers,
  request,
} from '../../support/h2-wire.ts'
import { until } from '../../support/until.ts'
import { backend, L7, onBoth } from './fixture.ts'

const FRAME_HEAD = 9
const WINDOW_UPDATE = 8

/** What the server has opened stream 1 by, in frames that are all there. */
function creditIn(text: string): number {
  const bytes = Buffer.from(text, 'latin1')
  let credit = 0
  for (let at = 0; at + FRAME_HEAD <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3)
    const isCredit = bytes[at + 3] === WINDOW_UPDATE && bytes.readUInt32BE(at + 5) === 1
    if (isCredit) credit += bytes.readUInt32BE(at + FRAME_HEAD)
    at += FRAME_HEAD + length
  }
  return credit
}

onBoth(t, 'http2 gone: a client whose request is still on its way', async (t, kind) => {
  const server = await backend(t, () => undefined, {
    accepted: (connection) => {
      connection.write('HTTP/1.1 204 No\r\n\r\n')
      connection.pause()
    },
  })
  const f = await L7.start(t, [server], { kind })
  f.destination.wire = 'http1'
  const client = await f.client()
  client.write(CLIENT_START)
  client.write(headers(1, request([], 'POST'), END_HEADERS))
  let sent = 0
  let still = 0
  while (still < 20) {
    const room = 65_535 + creditIn(client.text) - sent
    if (room < 16_000) {
      still += 1
      await setTimeout(10)
      continue
    }
    still = 0
    client.write(data(1, Buffer.alloc(16_000)))
    sent += 16_000
  }
  client.write(data(1, '', END_STREAM))
  await setTimeout(50)
  t.equal(f.underWay['active'], 1)
  client.reset()
  await until(
    'it has been noticed',
    () => f.counters.http2Of('outbound', 'downstream').openConnections === 0,
  )
  t.equal(f.sessions.size, 1, 'what was sent and answered has its time')
  for (let second = 0; second < 5; second += 1) f.clock.advance(1000)
  await f.settled('the request is over')
  t.same(f.statuses, { 204: 1 })
  t.equal(f.destination.active, 0)
})
