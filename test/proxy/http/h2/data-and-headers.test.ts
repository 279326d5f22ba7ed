// RFC 9113 sections 6.1, 6.2 and 6.10: DATA, HEADERS and CONTINUATION.

import t from 'tap'
import {
  block,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  PADDED,
  PRIORITY,
  padded,
  ping,
  priority,
  priorityPayload,
  request,
  Type,
} from '../../../support/h2-wire.ts'
import { answered, type Case, conform } from './conform.ts'

const GET = headers(1, request())
const OPEN = headers(1, request([], 'POST'), END_HEADERS)
const NEVER = { manners: { answers: 'never' } } as const
const POSTED = ['1 head POST /', '1 body "test"', '1 end']
const REQUEST = request()
const ALL = END_HEADERS | END_STREAM

const DATA: readonly Case[] = [
  { name: '6.1: DATA', send: [OPEN, data(1, 'test', END_STREAM)], told: answered(1), app: POSTED },
  {
    name: '6.1: DATA in several frames',
    send: [OPEN, data(1, 'te'), data(1, 's'), data(1, 't'), data(1, '', END_STREAM)],
    told: answered(1),
    app: POSTED,
  },
  {
    name: '6.1: DATA with padding',
    send: [OPEN, data(1, 'te', 0, 6), data(1, 'st', END_STREAM, 255)],
    told: answered(1),
    app: POSTED,
  },
  {
    name: '6.1: DATA with padding of no length',
    send: [OPEN, data(1, 'test', END_STREAM, 0)],
    told: answered(1),
    app: POSTED,
  },
  {
    name: '6.1: DATA of padding alone',
    send: [OPEN, data(1, 'test'), data(1, '', END_STREAM, 9)],
    told: answered(1),
    app: POSTED,
  },
  { name: '6.1: DATA on stream 0', send: [data(0, 'test')], told: ['GOAWAY 0 PROTOCOL_ERROR'] },
  {
    name: '6.1: DATA on a stream that is half-closed (remote)',
    options: NEVER,
    send: [GET, data(1, 'test')],
    told: ['RST_STREAM 1 STREAM_CLOSED'],
  },
  {
    name: '6.1: more padding than payload',
    send: [OPEN, frame(Type.data, PADDED | END_STREAM, 1, Buffer.from('\x05test'))],
    told: ['GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '6.1: padding as long as the payload',
    send: [OPEN, frame(Type.data, PADDED | END_STREAM, 1, Buffer.from('\x04test'))],
    told: answered(1),
    app: ['1 head POST /', '1 end'],
  },
  {
    name: '6.1: no room for the length of the padding',
    send: [OPEN, frame(Type.data, PADDED, 1)],
    told: ['GOAWAY 1 FRAME_SIZE_ERROR'],
  },
]

const HEADERS: readonly Case[] = [
  { name: '6.2: HEADERS', send: [GET], told: answered(1) },
  {
    name: '6.2: HEADERS with padding',
    send: [headers(1, padded(REQUEST, 7), ALL | PADDED)],
    told: answered(1),
  },
  {
    name: '6.2: HEADERS with padding and priority',
    send: [
      headers(
        1,
        padded(Buffer.concat([priorityPayload(0, 7), REQUEST]), 3),
        ALL | PADDED | PRIORITY,
      ),
    ],
    told: answered(1),
  },
  {
    name: '6.2: HEADERS on stream 0',
    send: [headers(0, REQUEST)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.2: more padding than payload',
    send: [headers(1, Buffer.concat([Buffer.from([REQUEST.length + 1]), REQUEST]), ALL | PADDED)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.2: no room for the length of the padding',
    send: [headers(1, Buffer.alloc(0), ALL | PADDED)],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.2: no room for the priority',
    send: [headers(1, Buffer.alloc(4), ALL | PRIORITY)],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.2: padding that takes the room of the priority',
    send: [headers(1, Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), ALL | PRIORITY | PADDED)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.2: PRIORITY before CONTINUATION',
    send: [headers(1, REQUEST, END_STREAM), priority(1, 0)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.2: an empty block',
    send: [headers(1, Buffer.alloc(0))],
    told: ['RST_STREAM 1 PROTOCOL_ERROR'],
    app: ['1 reset PROTOCOL_ERROR by us'],
  },
]

const SPLIT = REQUEST.length - 9
const ENDS: readonly Case[] = [
  {
    name: '6.10: one CONTINUATION',
    send: [
      headers(1, REQUEST.subarray(0, SPLIT), END_STREAM),
      continuation(1, REQUEST.subarray(SPLIT)),
    ],
    told: answered(1),
    app: ['1 head GET /', '1 end'],
  },
  {
    name: '6.10: several',
    send: [
      headers(1, REQUEST.subarray(0, 5), END_STREAM),
      continuation(1, REQUEST.subarray(5, 6), 0),
      continuation(1, REQUEST.subarray(6, SPLIT), 0),
      continuation(1, REQUEST.subarray(SPLIT)),
    ],
    told: answered(1),
  },
  {
    name: '6.10: an empty one at the end',
    send: [headers(1, REQUEST, END_STREAM), continuation(1, Buffer.alloc(0))],
    told: answered(1),
  },
  {
    name: '6.10: behind HEADERS with padding and priority',
    send: [
      headers(
        1,
        padded(Buffer.concat([priorityPayload(0), REQUEST.subarray(0, SPLIT)]), 30),
        END_STREAM | PADDED | PRIORITY,
      ),
      continuation(1, REQUEST.subarray(SPLIT)),
    ],
    told: answered(1),
  },
  {
    name: '6.10: END_STREAM is that of HEADERS',
    send: [
      headers(1, request([], 'POST'), 0),
      continuation(1, block([['x-a', 'b']]), END_HEADERS | END_STREAM),
      data(1, 'test', END_STREAM),
    ],
    told: answered(1),
    app: POSTED,
  },
  {
    name: '6.10: of trailers',
    send: [
      OPEN,
      data(1, 'test'),
      headers(1, Buffer.alloc(0), END_STREAM),
      continuation(1, block([['x-sum', '1']])),
    ],
    told: answered(1),
    app: ['1 head POST /', '1 body "test"', '1 end {x-sum}'],
  },
  {
    name: '6.10: any other frame behind CONTINUATION',
    send: [
      headers(1, REQUEST, END_STREAM),
      continuation(1, block([['x-a', 'b']]), 0),
      data(1, 'test'),
    ],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.10: HEADERS of the same stream behind CONTINUATION',
    send: [headers(1, REQUEST, END_STREAM), continuation(1, block([['x-a', 'b']]), 0), GET],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.10: CONTINUATION on stream 0',
    send: [headers(1, REQUEST, END_STREAM), continuation(0, block([['x-a', 'b']]))],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.10: behind HEADERS that ended the block',
    send: [GET, continuation(1, block([['x-a', 'b']]))],
    told: [...answered(1), 'GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '6.10: behind CONTINUATION that ended the block',
    send: [
      headers(1, REQUEST, END_STREAM),
      continuation(1, block([['x-a', 'b']])),
      continuation(1, block([['x-c', 'd']])),
    ],
    told: [...answered(1), 'GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '6.10: behind DATA',
    send: [OPEN, data(1, 'test'), continuation(1, block([['x-a', 'b']]))],
    told: ['GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '6.10: behind PING',
    send: [ping(), continuation(1, block([['x-a', 'b']]))],
    told: ['PING 12345678 ACK', 'GOAWAY 0 PROTOCOL_ERROR'],
  },
]

conform(t, [...DATA, ...HEADERS, ...ENDS])
