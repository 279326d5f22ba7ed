// RFC 9113 sections 3.4, 4 and 5.5: how a connection begins, what a frame is, and what is not known of it.

import t from 'tap'
import { PREFACE } from '../../../../src/proxy/http/h2/protocol.ts'
import { H2Rig } from '../../../support/h2-rig.ts'
import {
  block,
  CLIENT_START,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  liar,
  ping,
  priority,
  request,
  rstStream,
  settings,
  Type,
  windowUpdate,
} from '../../../support/h2-wire.ts'
import { answered, type Case, conform } from './conform.ts'

const GET = headers(1, request())
const OPEN = headers(1, request([], 'POST'), END_HEADERS)

t.test(
  'http2: RFC 9113 section 3.4: a server begins with SETTINGS, and answers those of the client',
  async (t) => {
    const rig = new H2Rig({ isRaw: true })
    t.match(rig.told(), [/^SETTINGS /], 'at once')
    rig.feed(CLIENT_START)
    t.strictSame(rig.told(), ['SETTINGS ACK'])
  },
)

t.test('http2: RFC 9113 section 3.4: a client begins with the preface and SETTINGS', async (t) => {
  const rig = new H2Rig({ role: 'client', isRaw: true })
  t.match(rig.told(), [/^SETTINGS /])
  rig.ask()
  rig.turn()
  t.strictSame(rig.told(), ['HEADERS 1 GET / END'], 'and need not wait for the server')
  rig.feed(settings())
  t.strictSame(rig.told(), ['SETTINGS ACK'])
})

t.test('http2: RFC 9113 section 6.5.2: what our SETTINGS say', async (t) => {
  for (const role of ['client', 'server'] as const) {
    const rig = new H2Rig({
      role,
      isRaw: true,
      limits: { maxConcurrentStreams: 7, maxHeaderListSize: 5000 },
    })
    const [first] = rig.told()
    const values = new Map(
      (first ?? '')
        .split(' ')
        .slice(1)
        .map((pair) => pair.split('=') as [string, string]),
    )
    t.equal(values.get('6'), '5000', `${role}: the header list`)
    if (role === 'client') t.equal(values.get('2'), '0', 'no push')
    else t.equal(values.get('3'), '7', 'streams at once')
  }
})

const RAW = { isRaw: true }

/** What follows SETTINGS and the window of a server that has only begun. */
function begins(t: Tap, name: string, send: readonly Buffer[], expected: readonly RegExp[]): void {
  t.test(`http2: RFC 9113 section ${name}`, async (t) => {
    const all = Buffer.concat(send)
    for (let at = 0; at < all.length; at++) {
      const rig = new H2Rig(RAW)
      if (at > 0) rig.feed(all.subarray(0, at))
      rig.feed(all.subarray(at))
      const [, ...rest] = rig.told()
      t.match(rest, expected, `cut at ${at}`)
      t.equal(rest.length, expected.length)
      t.strictSame(rig.failures, ['PROTOCOL_ERROR'])
      t.strictSame(rig.app.take(), [], 'nothing is acted on')
    }
  })
}
type Tap = typeof t

begins(
  t,
  '3.4: another protocol',
  [Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n')],
  [/^GOAWAY 0 PROTOCOL_ERROR/],
)
begins(t, '3.4: HTTP/1.1', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], [/^GOAWAY 0 PROTOCOL_ERROR/])
begins(
  t,
  '3.4: a preface that is wrong at its end',
  [PREFACE.subarray(0, -1), Buffer.from('x')],
  [/^GOAWAY 0 PROTOCOL_ERROR/],
)
begins(t, '3.4: no SETTINGS after the preface', [PREFACE, ping()], [/^GOAWAY 0 PROTOCOL_ERROR/])
begins(t, '3.4: a request before SETTINGS', [PREFACE, GET], [/^GOAWAY 0 PROTOCOL_ERROR/])
begins(
  t,
  '3.4: an acknowledgement instead of SETTINGS',
  [PREFACE, frame(Type.settings, 1, 0)],
  [/^GOAWAY 0 PROTOCOL_ERROR/],
)
begins(
  t,
  '3.4: an unknown frame instead of SETTINGS',
  [PREFACE, frame(0x20, 0, 0)],
  [/^GOAWAY 0 PROTOCOL_ERROR/],
)

const FORMAT: readonly Case[] = [
  {
    name: '4.1: a frame of unknown type is ignored',
    send: [frame(0xff, 0, 0, Buffer.alloc(8)), ping()],
    told: ['PING 12345678 ACK'],
  },
  {
    name: '4.1: an unknown frame without payload',
    send: [frame(0x30, 0xff, 0), ping()],
    told: ['PING 12345678 ACK'],
  },
  {
    name: '4.1: undefined flags are ignored',
    send: [frame(Type.ping, 0x16, 0, Buffer.from('abcdefgh'))],
    told: ['PING abcdefgh ACK'],
  },
  {
    name: '4.1: undefined flags of HEADERS',
    send: [headers(1, request(), END_HEADERS | END_STREAM | 0xd2)],
    told: answered(1),
  },
  {
    name: '4.1: undefined flags of DATA',
    send: [OPEN, data(1, 'ab', END_STREAM | 0xf6)],
    told: answered(1),
    app: ['1 head POST /', '1 body "ab"', '1 end'],
  },
  {
    name: '4.1: the reserved bit is ignored',
    send: [frame(Type.ping, 0, 2 ** 31, Buffer.from('abcdefgh'))],
    told: ['PING abcdefgh ACK'],
  },
  {
    name: '4.1: the reserved bit of a stream is ignored',
    send: [headers(2 ** 31 + 1, request())],
    told: answered(1),
  },
]

const MOST = 16_384
const SIZES: readonly Case[] = [
  {
    name: '4.2: DATA of 16384 bytes',
    send: [OPEN, data(1, Buffer.alloc(MOST, 'x'), END_STREAM)],
    told: answered(1),
    app: ['1 head POST /', '1 body (16384)', '1 end'],
  },
  {
    name: '4.2: DATA that is larger than we allow',
    send: [OPEN, data(1, Buffer.alloc(MOST + 1))],
    told: ['GOAWAY 1 FRAME_SIZE_ERROR'],
  },
  {
    name: '4.2: DATA that says it is larger ends the connection before it comes',
    send: [OPEN, liar(Type.data, 0, 1, MOST + 1)],
    told: ['GOAWAY 1 FRAME_SIZE_ERROR'],
  },
  {
    name: '4.2: HEADERS that are larger than we allow',
    send: [headers(1, Buffer.alloc(MOST + 1))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  { name: '4.2: HEADERS of 16384 bytes', send: [headers(1, filled(MOST))], told: answered(1) },
  {
    name: '4.2: CONTINUATION that is larger than we allow',
    send: [headers(1, request(), 0), continuation(1, Buffer.alloc(MOST + 1))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '4.2: an unknown frame that is larger than we allow',
    send: [liar(0x77, 0, 0, 2 ** 24 - 1)],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '4.2: SETTINGS that are larger than we allow',
    send: [liar(Type.settings, 0, 0, 16_386)],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
]

/** A request whose block has so many bytes. */
function filled(size: number): Buffer {
  const start = request()
  for (let length = size - start.length; ; length--) {
    const more = Buffer.concat([start, block([['x-fill', 'x'.repeat(length)]])])
    if (more.length === size) return more
  }
}

const BLOCKS: readonly Case[] = [
  {
    name: '4.3: a block that cannot be read',
    send: [headers(1, Buffer.from('\0\x05\xff', 'latin1'))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3: a block that ends within a field',
    send: [headers(1, request().subarray(0, -2))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3: PRIORITY between the parts of a block',
    send: [headers(1, request(), END_STREAM), priority(1, 0)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '4.3: HEADERS of another stream between the parts of a block',
    send: [headers(1, request(), END_STREAM), headers(3, request())],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '4.3: every other frame between the parts of a block, DATA',
    send: [OPEN, headers(3, request(), END_STREAM), data(1, 'a')],
    told: ['GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '4.3: every other frame between the parts of a block, PING',
    send: [headers(1, request(), END_STREAM), ping()],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '4.3: every other frame between the parts of a block, SETTINGS',
    send: [headers(1, request(), END_STREAM), settings()],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '4.3: every other frame between the parts of a block, WINDOW_UPDATE',
    send: [headers(1, request(), END_STREAM), windowUpdate(0, 1)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '4.3: every other frame between the parts of a block, RST_STREAM',
    send: [headers(1, request(), END_STREAM), rstStream(1, 8)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '4.3: CONTINUATION of another stream',
    send: [headers(1, request(), END_STREAM), continuation(3, request())],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '4.3: a block cut into single bytes',
    send: [headers(1, Buffer.alloc(0), END_STREAM), ...few(request(), 8)],
    told: answered(1),
  },
  {
    name: '5.5: an unknown extension frame',
    send: [frame(0x16, 0, 0, Buffer.alloc(8)), ping()],
    told: ['PING 12345678 ACK'],
  },
  {
    name: '5.5: an unknown frame on an open stream',
    send: [OPEN, frame(0x16, 0xff, 1, Buffer.from('12345678')), data(1, '', END_STREAM)],
    told: answered(1),
    app: ['1 head POST /', '1 end'],
  },
  {
    name: '5.5: an unknown frame on an idle stream',
    send: [frame(0x16, 0, 77, Buffer.from('12345678')), GET],
    told: answered(1),
  },
  {
    name: '5.5: an unknown frame between the parts of a block',
    send: [headers(1, request(), END_STREAM), frame(0x16, 0, 0, Buffer.alloc(8))],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '5.5: an unknown frame of the same stream between the parts of a block',
    send: [headers(1, request(), END_STREAM), frame(0x16, 0, 1)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '5.5: an unknown setting',
    send: [settings([0xff, 1], [0x0, 2], [0xffff, 2 ** 32 - 1]), ping()],
    told: ['SETTINGS ACK', 'PING 12345678 ACK'],
  },
]

/** The same block in so many CONTINUATION frames. */
function few(bytes: Buffer, parts: number): Buffer[] {
  const size = Math.ceil(bytes.length / parts)
  return Array.from({ length: parts }, (_, i) =>
    continuation(1, bytes.subarray(i * size, (i + 1) * size), i === parts - 1 ? END_HEADERS : 0),
  )
}

conform(t, [...FORMAT, ...SIZES, ...BLOCKS])
