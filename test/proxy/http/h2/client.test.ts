// RFC 9113 as it concerns a client: what a server may send, and what its responses must be.

import t from 'tap'
import type { H2Rig } from '../../../support/h2-rig.ts'
import {
  block,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  goaway,
  headers,
  ping,
  priority,
  pushPromise,
  request,
  response,
  rstStream,
  settings,
  Type,
  windowUpdate,
} from '../../../support/h2-wire.ts'
import { type Case, conform } from './conform.ts'

const OK = headers(1, response(200), END_HEADERS)
const PONG = ['PING 12345678 ACK']
const RESET = ['RST_STREAM 1 PROTOCOL_ERROR']
const BY_US = ['1 reset PROTOCOL_ERROR by us']

function ask(rig: H2Rig): void {
  rig.ask()
  rig.turn()
  rig.take()
}

function askHead(rig: H2Rig): void {
  rig.ask('HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  rig.turn()
  rig.take()
}

function post(rig: H2Rig): void {
  rig.ask('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n', false)
  rig.turn()
  rig.take()
}

const RESPONSES: readonly Case[] = [
  {
    name: '8.1: a response',
    before: ask,
    send: [OK, data(1, 'te'), data(1, 'st', END_STREAM)],
    told: [],
    app: ['1 head 200', '1 body "test"', '1 end'],
  },
  {
    name: '8.1: a response without a body',
    before: ask,
    send: [headers(1, response(204))],
    told: [],
    app: ['1 head 204', '1 end'],
  },
  {
    name: '8.1: a response of HEADERS and CONTINUATION',
    before: ask,
    send: [
      headers(1, response(200).subarray(0, 3), END_STREAM),
      continuation(1, response(200).subarray(3)),
    ],
    told: [],
    app: ['1 head 200', '1 end'],
  },
  {
    name: '8.1: a response with trailers',
    before: ask,
    send: [OK, data(1, 'test'), headers(1, block([['grpc-status', '0']]))],
    told: [],
    app: ['1 head 200', '1 body "test"', '1 end {grpc-status}'],
  },
  {
    name: '8.1: interim responses',
    before: ask,
    send: [
      headers(1, response(103), END_HEADERS),
      headers(1, response(102), END_HEADERS),
      headers(1, response(200)),
    ],
    told: [],
    app: ['1 head 103', '1 head 102', '1 head 200', '1 end'],
  },
  {
    name: '8.1: a response before the request is over',
    before: post,
    send: [OK, data(1, 'test', END_STREAM), ping()],
    told: PONG,
    app: ['1 head 200', '1 body "test"', '1 end'],
  },
  {
    name: '8.1: and the rest of the request is not wanted',
    before: post,
    send: [OK, data(1, 'test', END_STREAM), rstStream(1, 0), ping()],
    told: PONG,
    app: ['1 head 200', '1 body "test"', '1 end', '1 reset NO_ERROR by peer'],
  },
  {
    name: '8.1: a whole response, and NO_ERROR in place of its END_STREAM',
    before: ask,
    send: [
      headers(1, response(200, [['content-length', '4']]), END_HEADERS),
      data(1, 'te'),
      data(1, 'st'),
      rstStream(1, 0),
      ping(),
    ],
    told: PONG,
    app: ['1 head 200', '1 body "test"', '1 end'],
  },
  {
    name: '8.1: the same before the request is over',
    before: post,
    send: [
      headers(1, response(200, [['content-length', '4']]), END_HEADERS),
      data(1, 'test'),
      rstStream(1, 0),
      ping(),
    ],
    told: PONG,
    app: ['1 head 200', '1 body "test"', '1 end', '1 reset NO_ERROR by peer'],
  },
  {
    name: '8.1: NO_ERROR makes no response whole that is not',
    before: ask,
    send: [
      headers(1, response(200, [['content-length', '5']]), END_HEADERS),
      data(1, 'test'),
      rstStream(1, 0),
      ping(),
    ],
    told: PONG,
    app: ['1 head 200', '1 body "test"', '1 reset NO_ERROR by peer'],
  },
  {
    name: '8.1: nor does it one that does not say how long it is',
    before: ask,
    send: [OK, data(1, 'test'), rstStream(1, 0), ping()],
    told: PONG,
    app: ['1 head 200', '1 body "test"', '1 reset NO_ERROR by peer'],
  },
  {
    name: '8.1: a whole response, and another code in place of its END_STREAM',
    before: ask,
    send: [
      headers(1, response(200, [['content-length', '4']]), END_HEADERS),
      data(1, 'test'),
      rstStream(1, 2),
      ping(),
    ],
    told: PONG,
    app: ['1 head 200', '1 body "test"', '1 reset INTERNAL_ERROR by peer'],
  },
  {
    name: '8.1: a response to HEAD',
    before: askHead,
    send: [headers(1, response(200, [['content-length', '99']]))],
    told: [],
    app: ['1 head 200', '1 end'],
  },
  {
    name: '8.1.1: content-length is the length',
    before: ask,
    send: [
      headers(1, response(200, [['content-length', '4']]), END_HEADERS),
      data(1, 'test', END_STREAM),
    ],
    told: [],
    app: ['1 head 200', '1 body "test"', '1 end'],
  },
  {
    name: '8.1.1: content-length of a 304',
    before: ask,
    send: [headers(1, response(304, [['content-length', '4']]))],
    told: [],
    app: ['1 head 304', '1 end'],
  },
]

function malformed(name: string, send: readonly Buffer[], app: readonly string[] = BY_US): Case {
  return {
    name: `8.1.1, ${name}`,
    before: ask,
    send: [...send, ping()],
    told: [...RESET, ...PONG],
    app,
  }
}

const WRONG: readonly Case[] = [
  malformed('8.3.2: no :status', [headers(1, block([['x', 'y']]))]),
  malformed('8.3.2: an empty block', [headers(1, Buffer.alloc(0))]),
  malformed('8.3.2: two :status', [
    headers(
      1,
      block([
        [':status', '200'],
        [':status', '200'],
      ]),
    ),
  ]),
  malformed('8.3.2: :status of two digits', [headers(1, response('20'))]),
  malformed('8.3.2: :status that is no number', [headers(1, response('2x0'))]),
  malformed('8.3.2: :status behind a field', [
    headers(
      1,
      block([
        ['x', 'y'],
        [':status', '200'],
      ]),
    ),
  ]),
  malformed('8.3: a pseudo-header field of requests', [
    headers(1, response(200, [[':path', '/']])),
  ]),
  malformed('8.3: an unknown pseudo-header field', [
    headers(1, response(200, [[':reason', 'OK']])),
  ]),
  malformed('8.2.1: a name with capitals', [headers(1, response(200, [['X-A', 'b']]))]),
  malformed('8.2.1: a line in a value', [headers(1, response(200, [['x-a', 'b\r\nc: d']]))]),
  ...['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection'].map((name) =>
    malformed(`8.2.2: ${name}`, [headers(1, response(200, [[name, 'close']]))]),
  ),
  malformed('8.6: 101', [headers(1, response(101), END_HEADERS)]),
  malformed('8.1: an interim response that ends the stream', [headers(1, response(103))]),
  malformed('8.1: DATA before a response', [data(1, 'test')]),
  malformed(
    '8.1: DATA behind an interim response',
    [headers(1, response(103), END_HEADERS), data(1, 'test')],
    ['1 head 103', ...BY_US],
  ),
  malformed(
    '8.1: a second response',
    [OK, headers(1, response(200), END_HEADERS)],
    ['1 head 200', ...BY_US],
  ),
  malformed('8.1: :status in trailers', [OK, headers(1, response(200))], ['1 head 200', ...BY_US]),
  malformed(
    'content-length that DATA does not reach',
    [
      headers(1, response(200, [['content-length', '5']]), END_HEADERS),
      data(1, 'test', END_STREAM),
    ],
    ['1 head 200', ...BY_US],
  ),
  malformed(
    'content-length that DATA exceeds',
    [headers(1, response(200, [['content-length', '3']]), END_HEADERS), data(1, 'test')],
    ['1 head 200', ...BY_US],
  ),
  malformed('content-length without a body', [
    headers(1, response(200, [['content-length', '5']])),
  ]),
  {
    name: '8.1.1: a body of a response to HEAD',
    before: askHead,
    send: [OK, data(1, 'test', END_STREAM)],
    told: RESET,
    app: ['1 head 200', ...BY_US],
  },
]

const FATAL: readonly (readonly [string, readonly Buffer[], string])[] = [
  [
    '3.4: no SETTINGS at first is told elsewhere; a wrong length',
    [frame(Type.settings, 0, 0, Buffer.alloc(5))],
    'FRAME_SIZE_ERROR',
  ],
  ['5.1: HEADERS on an idle stream', [headers(3, response(200))], 'PROTOCOL_ERROR'],
  ['5.1: DATA on an idle stream', [data(3, 'a')], 'PROTOCOL_ERROR'],
  ['5.1: RST_STREAM on an idle stream', [rstStream(3, 0)], 'PROTOCOL_ERROR'],
  ['5.1: WINDOW_UPDATE on an idle stream', [windowUpdate(3, 1)], 'PROTOCOL_ERROR'],
  ['5.1.1: HEADERS on a stream of the server', [headers(2, response(200))], 'PROTOCOL_ERROR'],
  ['5.1.1: HEADERS on stream 0', [headers(0, response(200))], 'PROTOCOL_ERROR'],
  ['5.1.1: a request', [headers(2, request())], 'PROTOCOL_ERROR'],
  ['6.5.2: SETTINGS_ENABLE_PUSH 1', [settings([2, 1])], 'PROTOCOL_ERROR'],
  ['6.5.2: SETTINGS_ENABLE_PUSH 2', [settings([2, 2])], 'PROTOCOL_ERROR'],
  ['6.6, 8.4: PUSH_PROMISE', [pushPromise(1, 2, request())], 'PROTOCOL_ERROR'],
  ['6.6, 8.4: PUSH_PROMISE of another stream', [pushPromise(3, 4, request())], 'PROTOCOL_ERROR'],
  ['6.6: PUSH_PROMISE of no length', [frame(Type.pushPromise, END_HEADERS, 1)], 'PROTOCOL_ERROR'],
  ['6.9: WINDOW_UPDATE by nothing', [windowUpdate(0, 0)], 'PROTOCOL_ERROR'],
  ['6.7: PING of another length', [frame(Type.ping, 0, 0, Buffer.alloc(7))], 'FRAME_SIZE_ERROR'],
  ['6.10: CONTINUATION behind nothing', [continuation(1, response(200))], 'PROTOCOL_ERROR'],
  ['4.3: a block that cannot be read', [headers(1, Buffer.from([0x80]))], 'COMPRESSION_ERROR'],
  [
    '4.3: PING between the parts of a block',
    [headers(1, response(200), END_STREAM), ping()],
    'PROTOCOL_ERROR',
  ],
]

const ENDS: readonly Case[] = FATAL.map(([name, send, code]) => ({
  name: `${name}, to a client`,
  before: ask,
  send,
  told: [`GOAWAY 0 ${code}`],
  app: [`1 reset ${code} by connection`],
}))

const SOUND: readonly Case[] = [
  {
    name: '6.5.2: SETTINGS_ENABLE_PUSH 0, to a client',
    before: ask,
    send: [settings([2, 0])],
    told: ['SETTINGS ACK'],
  },
  { name: '5.3: PRIORITY, to a client', before: ask, send: [priority(1, 0), ping()], told: PONG },
  {
    name: '5.5: an unknown frame, to a client',
    before: ask,
    send: [frame(0x10, 1, 1, Buffer.alloc(9)), ping()],
    told: PONG,
  },
  {
    name: '6.4: RST_STREAM, to a client',
    before: ask,
    send: [rstStream(1, 2), ping()],
    told: PONG,
    app: ['1 reset INTERNAL_ERROR by peer'],
  },
  {
    name: '8.7: REFUSED_STREAM says that nothing was done',
    before: ask,
    send: [rstStream(1, 7)],
    told: [],
    app: ['1 reset REFUSED_STREAM by peer unprocessed'],
  },
  {
    name: '7: HTTP_1_1_REQUIRED',
    before: ask,
    send: [rstStream(1, 13)],
    told: [],
    app: ['1 reset HTTP_1_1_REQUIRED by peer'],
  },
  {
    name: '6.8: GOAWAY leaves a stream that was begun',
    before: ask,
    send: [goaway(1, 0), OK, data(1, 'test', END_STREAM)],
    told: [],
    app: ['1 head 200', '1 body "test"', '1 end'],
  },
  {
    name: '6.8: GOAWAY resets a stream that was not',
    before: ask,
    send: [goaway(0, 0), ping()],
    told: PONG,
    app: ['1 reset NO_ERROR by peer unprocessed'],
  },
  {
    name: '5.1: frames behind the end of a response end the connection',
    before: post,
    send: [OK, data(1, 'a', END_STREAM), data(1, 'b')],
    told: ['RST_STREAM 1 STREAM_CLOSED'],
  },
]

conform(t, [...RESPONSES, ...WRONG, ...ENDS, ...SOUND], { role: 'client' })
