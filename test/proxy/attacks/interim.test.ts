// Interim responses without end: no window holds them back, so whoever passes them on keeps what its client does not
// read. All heads of one response together are bounded as one is.

import t from 'tap'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { ResponseReader } from '../../../src/proxy/http/h1/response-reader.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { Refusal } from '../../../src/proxy/http/refusal.ts'
import { H2Rig } from '../../support/h2-rig.ts'
import { END_HEADERS, headers, response } from '../../support/h2-wire.ts'

const HINTS = response(103, [['link', 'x'.repeat(1000)]])

t.test('attacks: interim responses of HTTP/2 without end', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  const first = rig.ask()
  const second = rig.ask()
  let taken = 0
  while (taken < 1000 && rig.resets.length === 0) {
    rig.feed(headers(first.id, HINTS, END_HEADERS))
    taken += 1
  }
  t.ok(taken > 50 && taken < 80, `refused after ${taken}`)
  t.strictSame(rig.refused, ['head-too-large'])
  t.strictSame(rig.resets, ['PROTOCOL_ERROR by us'])
  rig.app.take()
  rig.feed(headers(second.id, HINTS, END_HEADERS), headers(second.id, response(200)))
  t.match(rig.app.take().at(-1), /end/, 'others are not meant')
})

t.test('attacks: a stream object counts anew for its next response', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  for (let i = 0; i < 5; i++) {
    const { id } = rig.ask()
    for (let n = 0; n < 40; n++) rig.feed(headers(id, HINTS, END_HEADERS))
    rig.feed(headers(id, response(200)))
  }
  t.strictSame(rig.refused, [])
})

t.test('attacks: interim responses of HTTP/1.1 without end', async (t) => {
  const reader = new ResponseReader(DEFAULT_LIMITS)
  const hints = Buffer.from(`HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(1000)}\r\n\r\n`)
  const ok = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  const read = (bytes: Buffer): Event => reader.read(bytes, 0, bytes.length)
  for (let i = 0; i < 3; i++) {
    reader.expect(0)
    for (let n = 0; n < 40; n++) t.equal(read(hints), Event.interim)
    t.equal(read(ok), Event.head)
    t.equal(read(Buffer.alloc(0)), Event.end)
  }
  reader.expect(0)
  let taken = 0
  while (taken < 1000 && read(hints) === Event.interim) taken += 1
  t.ok(taken > 50 && taken < 80, `refused after ${taken}`)
  t.equal(reader.refusal, Refusal.headTooLarge)
})
