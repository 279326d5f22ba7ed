// RFC 9113 section 5: what may come on a stream in which state, stream identifiers, concurrency, priorities, errors.

import t from 'tap'
import { H2Rig } from '../../../support/h2-rig.ts'
import {
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  PRIORITY,
  ping,
  priority,
  priorityPayload,
  request,
  rstStream,
  Type,
  windowUpdate,
} from '../../../support/h2-wire.ts'
import { answered, type Case, conform } from './conform.ts'

const GET = headers(1, request())
const OPEN = headers(1, request([], 'POST'), END_HEADERS)
const NEVER = { manners: { answers: 'never' } } as const
const EARLY = { manners: { answers: 'head' } } as const

const IDLE: readonly Case[] = [
  {
    name: '5.1: idle: DATA',
    send: [data(1, 'test', END_STREAM)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  { name: '5.1: idle: RST_STREAM', send: [rstStream(1, 8)], told: ['GOAWAY 0 PROTOCOL_ERROR'] },
  {
    name: '5.1: idle: WINDOW_UPDATE',
    send: [windowUpdate(1, 100)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '5.1: idle: CONTINUATION',
    send: [continuation(1, request())],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '5.1: idle: above those that are open, DATA',
    send: [GET, data(3, 'test')],
    told: [...answered(1), 'GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '5.1: idle: above those that are open, WINDOW_UPDATE',
    send: [GET, windowUpdate(3, 1)],
    told: [...answered(1), 'GOAWAY 1 PROTOCOL_ERROR'],
  },
  { name: '5.1: idle: PRIORITY', send: [priority(1, 0), GET], told: answered(1) },
  {
    name: '5.1: idle: a stream of the server, DATA',
    send: [data(2, 'test')],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '5.1: idle: a stream of the server, WINDOW_UPDATE',
    send: [windowUpdate(2, 1)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '5.1: idle: a stream of the server, RST_STREAM',
    send: [rstStream(2, 8)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
]

const HALF: readonly Case[] = [
  {
    name: '5.1: half-closed (remote): DATA',
    options: NEVER,
    send: [GET, data(1, 'test', END_STREAM)],
    told: ['RST_STREAM 1 STREAM_CLOSED'],
    app: ['1 head GET /', '1 end', '1 reset STREAM_CLOSED by us'],
  },
  {
    name: '5.1: half-closed (remote): HEADERS',
    options: NEVER,
    send: [GET, headers(1, request())],
    told: ['RST_STREAM 1 STREAM_CLOSED'],
  },
  {
    name: '5.1: half-closed (remote): CONTINUATION',
    options: NEVER,
    send: [GET, continuation(1, request())],
    told: ['GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '5.1: half-closed (remote): WINDOW_UPDATE',
    options: NEVER,
    send: [GET, windowUpdate(1, 100), ping()],
    told: ['PING 12345678 ACK'],
  },
  {
    name: '5.1: half-closed (remote): PRIORITY',
    options: NEVER,
    send: [GET, priority(1, 0), ping()],
    told: ['PING 12345678 ACK'],
  },
  {
    name: '5.1: half-closed (remote): RST_STREAM',
    options: NEVER,
    send: [GET, rstStream(1, 8), ping()],
    told: ['PING 12345678 ACK'],
    app: ['1 head GET /', '1 end', '1 reset CANCEL by peer'],
  },
  {
    name: '5.1: half-closed (local): the rest of a request',
    options: EARLY,
    send: [OPEN, data(1, 'test'), data(1, '!', END_STREAM)],
    told: answered(1),
    app: ['1 head POST /', '1 body "test!"', '1 end'],
  },
  {
    name: '5.1: half-closed (local): WINDOW_UPDATE, PRIORITY, RST_STREAM',
    options: EARLY,
    send: [OPEN, windowUpdate(1, 1), priority(1, 0), rstStream(1, 0), ping()],
    told: [...answered(1), 'PING 12345678 ACK'],
    app: ['1 head POST /', '1 reset NO_ERROR by peer'],
  },
]

const CLOSED: readonly Case[] = [
  {
    name: '5.1: closed by RST_STREAM of the peer: DATA',
    options: NEVER,
    send: [OPEN, rstStream(1, 8), data(1, 'test', END_STREAM)],
    told: ['GOAWAY 1 STREAM_CLOSED'],
  },
  {
    name: '5.1: closed by RST_STREAM of the peer: HEADERS',
    options: NEVER,
    send: [OPEN, rstStream(1, 8), headers(1, request())],
    told: ['GOAWAY 1 STREAM_CLOSED'],
  },
  {
    name: '5.1: closed by RST_STREAM of the peer: CONTINUATION',
    options: NEVER,
    send: [OPEN, rstStream(1, 8), continuation(1, request())],
    told: ['GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '5.1: closed by RST_STREAM of the peer: PRIORITY, WINDOW_UPDATE, RST_STREAM',
    options: NEVER,
    send: [OPEN, rstStream(1, 8), priority(1, 0), windowUpdate(1, 1), rstStream(1, 8), ping()],
    told: ['PING 12345678 ACK'],
  },
  {
    name: '5.1: closed by both: DATA',
    send: [GET, data(1, 'test', END_STREAM)],
    told: [...answered(1), 'GOAWAY 1 STREAM_CLOSED'],
  },
  {
    name: '5.1: closed by both: HEADERS',
    send: [GET, headers(1, request())],
    told: [...answered(1), 'GOAWAY 1 STREAM_CLOSED'],
  },
  {
    name: '5.1: closed by both: CONTINUATION',
    send: [GET, continuation(1, request())],
    told: [...answered(1), 'GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '5.1: closed by both: PRIORITY, WINDOW_UPDATE, RST_STREAM',
    send: [GET, priority(1, 0), windowUpdate(1, 1), rstStream(1, 8), ping()],
    told: [...answered(1), 'PING 12345678 ACK'],
  },
]

const NUMBERS: readonly Case[] = [
  {
    name: '5.1.1: an even stream',
    send: [headers(2, request())],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '5.1.1: a stream below the last one',
    send: [headers(5, request()), headers(3, request())],
    told: [...answered(5), 'GOAWAY 5 PROTOCOL_ERROR'],
  },
  {
    name: '5.1.1: streams may be left out',
    send: [headers(3, request()), headers(11, request()), headers(2 ** 31 - 1, request())],
    told: [...answered(3), ...answered(11), ...answered(2 ** 31 - 1)],
  },
  {
    name: '5.1.1: a stream that was left out is closed: DATA',
    send: [headers(5, request()), data(3, 'a')],
    told: [...answered(5), 'GOAWAY 5 STREAM_CLOSED'],
  },
]

const DEPENDS = Buffer.concat([priorityPayload(1), request()])
const PRIORITIES: readonly Case[] = [
  {
    name: '5.3: HEADERS that depend on themselves',
    send: [headers(1, DEPENDS, END_HEADERS | END_STREAM | PRIORITY)],
    told: ['RST_STREAM 1 PROTOCOL_ERROR'],
    app: ['1 reset PROTOCOL_ERROR by us'],
  },
  {
    name: '5.3: PRIORITY that depends on itself',
    options: NEVER,
    send: [GET, priority(1, 1)],
    told: ['RST_STREAM 1 PROTOCOL_ERROR'],
  },
  {
    name: '5.3: PRIORITY of an idle stream that depends on itself',
    send: [priority(1, 1)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '5.3: weights',
    send: [priority(1, 0, 1), priority(3, 0, 256), ping()],
    told: ['PING 12345678 ACK'],
  },
  {
    name: '5.3: a dependency, exclusive',
    send: [priority(3, 1), priority(5, 2 ** 31 + 3), ping()],
    told: ['PING 12345678 ACK'],
  },
  {
    name: '5.3: of an idle stream, and HEADERS of a lower one',
    send: [priority(5, 3), headers(3, request())],
    told: answered(3),
  },
  {
    name: '5.3: HEADERS with a priority',
    send: [
      headers(
        1,
        Buffer.concat([priorityPayload(0), request()]),
        END_HEADERS | END_STREAM | PRIORITY,
      ),
    ],
    told: answered(1),
  },
]

const ERRORS: readonly Case[] = [
  {
    name: '5.4.1: nothing is read behind a connection error',
    send: [
      GET,
      Buffer.concat([frame(Type.ping, 0, 0, Buffer.alloc(3)), headers(3, request()), ping()]),
    ],
    told: [...answered(1), 'GOAWAY 1 FRAME_SIZE_ERROR'],
    app: ['1 head GET /', '1 end'],
  },
  {
    name: '5.4.2: a stream error leaves the others as they are',
    options: NEVER,
    send: [
      OPEN,
      headers(3, request([], 'POST'), END_HEADERS),
      windowUpdate(1, 0),
      data(3, 'abc', END_STREAM),
    ],
    told: ['RST_STREAM 1 PROTOCOL_ERROR'],
    app: [
      '1 head POST /',
      '3 head POST /',
      '1 reset PROTOCOL_ERROR by us',
      '3 body "abc"',
      '3 end',
    ],
  },
]

conform(t, [...IDLE, ...HALF, ...CLOSED, ...NUMBERS, ...PRIORITIES, ...ERRORS])

t.test(
  'http2: RFC 9113 section 5.1.2: a stream beyond the limit is refused, and may be tried again',
  async (t) => {
    const rig = new H2Rig({ limits: { maxConcurrentStreams: 2 }, manners: { answers: 'never' } })
    rig.feed(headers(1, request()), headers(3, request()), headers(5, request()))
    t.strictSame(rig.told(), ['RST_STREAM 5 REFUSED_STREAM'])
    t.strictSame(rig.app.take(), ['1 head GET /', '1 end', '3 head GET /', '3 end'])
    rig.app.answer(rig.app.stream(1))
    rig.turn()
    rig.feed(headers(7, request()))
    t.strictSame(rig.told(), answered(1), 'a stream that is over makes room')
    t.strictSame(rig.app.take(), ['7 head GET /', '7 end'])
    t.equal(rig.connection.open, 2)
  },
)

t.test('http2: RFC 9113 section 5.1.2: a refused stream may still be on its way', async (t) => {
  const rig = new H2Rig({ limits: { maxConcurrentStreams: 1 }, manners: { answers: 'never' } })
  rig.feed(headers(1, request()))
  rig.feed(headers(3, request([], 'POST'), END_HEADERS), data(3, 'abc'), data(3, 'abc', END_STREAM))
  rig.feed(ping())
  t.strictSame(rig.told(), ['RST_STREAM 3 REFUSED_STREAM', 'PING 12345678 ACK'])
})

t.test(
  'http2: RFC 9113 section 5.1.2: header blocks of refused streams are read all the same',
  async (t) => {
    const rig = new H2Rig({ limits: { maxConcurrentStreams: 1 }, manners: { answers: 'never' } })
    rig.feed(headers(1, request()))
    const indexed = Buffer.concat([request(), Buffer.from([0x40, 1, 0x61, 1, 0x62])])
    rig.feed(headers(3, indexed))
    rig.feed(rstStream(1, 8))
    rig.feed(headers(5, Buffer.concat([request(), Buffer.from([0xbe])])))
    t.strictSame(rig.told(), ['RST_STREAM 3 REFUSED_STREAM'])
    const { head } = rig.app.stream(5)
    t.equal(head.valueAt(head.find('a')), 'b', 'the table has what the refused one put there')
  },
)
