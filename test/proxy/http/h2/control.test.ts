// RFC 9113 sections 6.3 to 6.9 and 7: the frames that carry no message.

import t from 'tap'
import {
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
  rstStream,
  SETTINGS_ACK,
  settings,
  Type,
  u32,
  windowUpdate,
} from '../../../support/h2-wire.ts'
import { answered, type Case, conform } from './conform.ts'

const GET = headers(1, request())
const OPEN = headers(1, request([], 'POST'), END_HEADERS)
const NEVER = { manners: { answers: 'never' } } as const
const PONG = ['PING 12345678 ACK']

const PRIORITY: readonly Case[] = [
  { name: '6.3: PRIORITY on stream 0', send: [priority(0, 1)], told: ['GOAWAY 0 PROTOCOL_ERROR'] },
  {
    name: '6.3: PRIORITY of another length',
    options: NEVER,
    send: [OPEN, frame(Type.priority, 0, 1, Buffer.alloc(4))],
    told: ['RST_STREAM 1 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.3: PRIORITY of another length on an idle stream, which cannot be reset',
    send: [frame(Type.priority, 0, 1, Buffer.alloc(6))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  { name: '6.3: PRIORITY on an even stream', send: [priority(2, 0), ping()], told: PONG },
]

const RST_STREAM: readonly Case[] = [
  {
    name: '6.4: RST_STREAM',
    options: NEVER,
    send: [OPEN, rstStream(1, 8), ping()],
    told: PONG,
    app: ['1 head POST /', '1 reset CANCEL by peer'],
  },
  {
    name: '6.4: RST_STREAM on stream 0',
    send: [rstStream(0, 8)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.4: RST_STREAM on an idle stream',
    send: [GET, rstStream(3, 8)],
    told: [...answered(1), 'GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '6.4: RST_STREAM of another length',
    options: NEVER,
    send: [OPEN, frame(Type.rstStream, 0, 1, Buffer.alloc(3))],
    told: ['GOAWAY 1 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.4: RST_STREAM of no length',
    options: NEVER,
    send: [OPEN, frame(Type.rstStream, 0, 1)],
    told: ['GOAWAY 1 FRAME_SIZE_ERROR'],
  },
]

const SETTINGS: readonly Case[] = [
  {
    name: '6.5: SETTINGS',
    send: [settings([3, 100], [4, 65_535], [5, 16_384], [6, 100])],
    told: ['SETTINGS ACK'],
  },
  { name: '6.5: SETTINGS without any', send: [settings()], told: ['SETTINGS ACK'] },
  {
    name: '6.5: an acknowledgement with payload',
    send: [frame(Type.settings, 1, 0, Buffer.alloc(6))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.5: an acknowledgement with a byte',
    send: [frame(Type.settings, 1, 0, Buffer.alloc(1))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.5: SETTINGS on a stream',
    send: [frame(Type.settings, 0, 1, Buffer.alloc(6))],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.5: an acknowledgement on a stream',
    send: [frame(Type.settings, 1, 1)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.5: a length that is no multiple of 6',
    send: [frame(Type.settings, 0, 0, Buffer.from([0, 3, 0]))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.5.2: SETTINGS_ENABLE_PUSH neither 0 nor 1',
    send: [settings([2, 2])],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.5.2: SETTINGS_ENABLE_PUSH 1 and 0',
    send: [settings([2, 1]), settings([2, 0])],
    told: ['SETTINGS ACK', 'SETTINGS ACK'],
  },
  {
    name: '6.5.2: SETTINGS_INITIAL_WINDOW_SIZE above the most',
    send: [settings([4, 2 ** 31])],
    told: ['GOAWAY 0 FLOW_CONTROL_ERROR'],
  },
  {
    name: '6.5.2: SETTINGS_INITIAL_WINDOW_SIZE at the most',
    send: [settings([4, 2 ** 31 - 1]), GET],
    told: ['SETTINGS ACK', ...answered(1)],
  },
  {
    name: '6.5.2: SETTINGS_MAX_FRAME_SIZE below the least',
    send: [settings([5, 16_383])],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.5.2: SETTINGS_MAX_FRAME_SIZE above the most',
    send: [settings([5, 2 ** 24])],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.5.2: SETTINGS_MAX_FRAME_SIZE at the most',
    send: [settings([5, 2 ** 24 - 1])],
    told: ['SETTINGS ACK'],
  },
  {
    name: '6.5.2: an unknown setting',
    send: [settings([0xff, 1]), ping()],
    told: ['SETTINGS ACK', ...PONG],
  },
  {
    name: '6.5.2: the most of every number',
    send: [settings([1, 2 ** 32 - 1], [3, 2 ** 32 - 1], [6, 2 ** 32 - 1]), GET],
    told: ['SETTINGS ACK', ...answered(1)],
  },
  {
    name: '6.5.2: nothing of every number',
    send: [settings([1, 0], [3, 0], [6, 0]), GET],
    told: ['SETTINGS ACK', ...answered(1)],
  },
  {
    name: '6.5.2: wrong behind what is right',
    send: [settings([3, 1], [2, 0], [5, 1])],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.5.3: the last of several values counts',
    send: [settings([4, 100], [4, 1]), GET],
    told: ['SETTINGS ACK', 'HEADERS 1 200', 'DATA 1 "o"'],
  },
  {
    name: '6.5.3: every SETTINGS is acknowledged',
    send: [Buffer.concat([settings(), settings([4, 9]), settings()])],
    told: ['SETTINGS ACK', 'SETTINGS ACK', 'SETTINGS ACK'],
  },
  {
    name: '6.5.3: an acknowledgement of nothing is ignored',
    send: [SETTINGS_ACK, ping()],
    told: PONG,
  },
]

const PUSH: readonly Case[] = [
  {
    name: '6.6, 8.4: PUSH_PROMISE to a server',
    send: [OPEN, pushPromise(1, 2, request())],
    told: ['GOAWAY 1 PROTOCOL_ERROR'],
  },
  {
    name: '6.6, 8.4: PUSH_PROMISE on an idle stream',
    send: [pushPromise(1, 3, request())],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
]

const PINGS: readonly Case[] = [
  {
    name: '6.7: PING is answered with what it says',
    send: [ping('abcdefgh'), ping('\0\xff\x01\x02\x03\x04\x05\x06')],
    told: ['PING abcdefgh ACK', 'PING \0\xff\x01\x02\x03\x04\x05\x06 ACK'],
  },
  {
    name: '6.7: an answer that was not asked for is ignored',
    send: [ping('invalid!', 1), ping()],
    told: PONG,
  },
  {
    name: '6.7: PING on a stream',
    send: [frame(Type.ping, 0, 1, Buffer.alloc(8))],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.7: PING of fewer bytes',
    send: [frame(Type.ping, 0, 0, Buffer.alloc(6))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.7: PING of more bytes',
    send: [frame(Type.ping, 0, 0, Buffer.alloc(9))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.7: PING without any',
    send: [frame(Type.ping, 0, 0)],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
]

const GOAWAY: readonly Case[] = [
  {
    name: '6.8: GOAWAY on a stream',
    send: [frame(Type.goaway, 0, 1, u32(0, 0))],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.8: GOAWAY of fewer bytes',
    send: [frame(Type.goaway, 0, 0, Buffer.alloc(7))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.8: a client that says it leaves may still wait for answers',
    options: NEVER,
    send: [GET, goaway(0, 0), ping()],
    told: PONG,
    app: ['1 head GET /', '1 end'],
  },
]

const WINDOW: readonly Case[] = [
  {
    name: '6.9: WINDOW_UPDATE by nothing',
    send: [windowUpdate(0, 0)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.9: WINDOW_UPDATE by nothing on a stream',
    options: NEVER,
    send: [OPEN, windowUpdate(1, 0)],
    told: ['RST_STREAM 1 PROTOCOL_ERROR'],
  },
  {
    name: '6.9: WINDOW_UPDATE by nothing, with the reserved bit',
    send: [windowUpdate(0, 2 ** 31)],
    told: ['GOAWAY 0 PROTOCOL_ERROR'],
  },
  {
    name: '6.9: WINDOW_UPDATE of another length',
    send: [frame(Type.windowUpdate, 0, 0, Buffer.alloc(3))],
    told: ['GOAWAY 0 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.9: WINDOW_UPDATE of another length on a stream',
    send: [OPEN, frame(Type.windowUpdate, 0, 1, Buffer.alloc(5, 1))],
    told: ['GOAWAY 1 FRAME_SIZE_ERROR'],
  },
  {
    name: '6.9.1: the window above the most',
    send: [windowUpdate(0, 2 ** 31 - 1 - 65_535), windowUpdate(0, 1)],
    told: ['GOAWAY 0 FLOW_CONTROL_ERROR'],
  },
  {
    name: '6.9.1: the window at the most',
    send: [windowUpdate(0, 2 ** 31 - 1 - 65_535), GET],
    told: answered(1),
  },
  {
    name: '6.9.1: the window of a stream above the most',
    options: NEVER,
    send: [OPEN, windowUpdate(1, 2 ** 31 - 1 - 65_535), windowUpdate(1, 1)],
    told: ['RST_STREAM 1 FLOW_CONTROL_ERROR'],
  },
  {
    name: '6.9.1: the window of a stream at the most',
    send: [OPEN, windowUpdate(1, 2 ** 31 - 1 - 65_535), data(1, '', END_STREAM)],
    told: answered(1),
  },
  {
    name: '6.9.2: SETTINGS that take the window of a stream above the most',
    options: NEVER,
    send: [OPEN, windowUpdate(1, 2 ** 31 - 1 - 65_535), settings([4, 65_536])],
    told: ['GOAWAY 1 FLOW_CONTROL_ERROR'],
  },
]

const CODES: readonly Case[] = [
  { name: '7: GOAWAY with an unknown code', send: [goaway(0, 0xff), ping()], told: PONG },
  {
    name: '7: RST_STREAM with an unknown code',
    options: NEVER,
    send: [OPEN, rstStream(1, 0xff), ping()],
    told: PONG,
    app: ['1 head POST /', '1 reset 0xff by peer'],
  },
  {
    name: '7: RST_STREAM with the largest code',
    options: NEVER,
    send: [OPEN, rstStream(1, 2 ** 32 - 1), ping()],
    told: PONG,
    app: ['1 head POST /', '1 reset 0xffffffff by peer'],
  },
]

conform(t, [
  ...PRIORITY,
  ...RST_STREAM,
  ...SETTINGS,
  ...PUSH,
  ...PINGS,
  ...GOAWAY,
  ...WINDOW,
  ...CODES,
])
