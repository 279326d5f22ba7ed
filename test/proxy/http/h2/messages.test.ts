// RFC 9113 section 8: requests as a server takes them, and those that are malformed.

import t from 'tap'
import { H2Rig } from '../../../support/h2-rig.ts'
import {
  block,
  data,
  END_HEADERS,
  END_STREAM,
  type Fields,
  headers,
  ping,
  request,
} from '../../../support/h2-wire.ts'
import { answered, type Case, conform } from './conform.ts'

const OPEN = headers(1, request([], 'POST'), END_HEADERS)
const RESET = ['RST_STREAM 1 PROTOCOL_ERROR']
const POSTED = ['1 head POST /', '1 body "test"', '1 end']
const MALFORMED = [...POSTED.slice(0, 2), '1 reset PROTOCOL_ERROR by us']

/** A request of these fields alone, and what follows it on other streams is served. */
function malformed(name: string, fields: Fields): Case {
  return {
    name: `8.1.1, ${name}`,
    send: [headers(1, block(fields)), headers(3, request())],
    told: [...RESET, ...answered(3)],
    app: ['1 reset PROTOCOL_ERROR by us', '3 head GET /', '3 end'],
  }
}

const [METHOD, SCHEME, PATH, AUTHORITY] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
] as const
const REQUEST = [METHOD, SCHEME, PATH, AUTHORITY] as const

const EXCHANGES: readonly Case[] = [
  {
    name: '8.1: GET',
    send: [headers(1, request())],
    told: answered(1),
    app: ['1 head GET /', '1 end'],
  },
  {
    name: '8.1: HEAD',
    send: [headers(1, request([], 'HEAD'))],
    told: ['HEADERS 1 200 END'],
    app: ['1 head HEAD /', '1 end'],
    options: { manners: { body: Buffer.alloc(0) } },
  },
  { name: '8.1: POST', send: [OPEN, data(1, 'test', END_STREAM)], told: answered(1), app: POSTED },
  {
    name: '8.1: POST with trailers',
    send: [OPEN, data(1, 'test'), headers(1, block([['x-sum', '1']]))],
    told: answered(1),
    app: ['1 head POST /', '1 body "test"', '1 end {x-sum}'],
  },
  {
    name: '8.1: trailers without a body',
    send: [OPEN, headers(1, block([['x-sum', '1']]))],
    told: answered(1),
    app: ['1 head POST /', '1 end {x-sum}'],
  },
  {
    name: '8.1: trailers without a field',
    send: [OPEN, data(1, 'test'), headers(1, Buffer.alloc(0))],
    told: answered(1),
  },
  {
    name: '8.1: a second HEADERS without END_STREAM',
    send: [OPEN, data(1, 'test'), headers(1, block([['x-sum', '1']]), END_HEADERS)],
    told: RESET,
    app: MALFORMED,
  },
  {
    name: '8.1: DATA behind trailers',
    options: { manners: { answers: 'never' } },
    send: [OPEN, headers(1, block([['x-sum', '1']])), data(1, 'a')],
    told: ['RST_STREAM 1 STREAM_CLOSED'],
  },
  {
    name: '8.1: answered with trailers',
    options: { manners: { hasTrailers: true } },
    send: [headers(1, request())],
    told: ['HEADERS 1 200', 'DATA 1 "ok"', 'HEADERS 1 {x-sum} END'],
  },
  {
    name: '8.1: answered with trailers alone',
    options: { manners: { hasTrailers: true, body: Buffer.alloc(0) } },
    send: [headers(1, request())],
    told: ['HEADERS 1 200', 'HEADERS 1 {x-sum} END'],
  },
  {
    name: '8.1: many on one connection',
    send: [1, 3, 5, 7].map((id) => headers(id, request())),
    told: [1, 3, 5, 7].flatMap(answered),
  },
]

const TRAILERS: readonly Case[] = [
  [':method', 'GET'] as const,
  [':status', '200'] as const,
  ['X-Sum', '1'] as const,
  ['connection', 'close'] as const,
  ['transfer-encoding', 'chunked'] as const,
].map((field) => ({
  name: `8.1: ${field[0]} in trailers`,
  send: [OPEN, data(1, 'test'), headers(1, block([field])), ping()],
  told: [...RESET, 'PING 12345678 ACK'],
  app: MALFORMED,
}))

const FIELDS: readonly Case[] = [
  malformed('8.2.1: a name with capitals', [...REQUEST, ['X-TEST', 'ok']]),
  malformed('8.2.1: an empty name', [...REQUEST, ['', 'ok']]),
  malformed('8.2.1: a space in a name', [...REQUEST, ['x a', 'ok']]),
  malformed('8.2.1: a colon in a name', [...REQUEST, ['x:a', 'ok']]),
  malformed('8.2.1: a control character in a name', [...REQUEST, ['x\x01', 'ok']]),
  malformed('8.2.1: CR in a value', [...REQUEST, ['x-a', 'a\rb']]),
  malformed('8.2.1: LF in a value', [...REQUEST, ['x-a', 'a\nb']]),
  malformed('8.2.1: NUL in a value', [...REQUEST, ['x-a', 'a\0b']]),
  malformed('8.2.1: a space before a value', [...REQUEST, ['x-a', ' a']]),
  malformed('8.2.1: a tab behind a value', [...REQUEST, ['x-a', 'a\t']]),
  malformed('8.2.1: a line of HTTP/1.1 in a value', [...REQUEST, ['x-a', 'a\r\nhost: b']]),
  ...['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade'].map((name) =>
    malformed(`8.2.2: ${name}`, [...REQUEST, [name, name === 'upgrade' ? 'h2c' : 'keep-alive']]),
  ),
  malformed('8.2.2: te other than trailers', [...REQUEST, ['te', 'trailers, deflate']]),
  malformed('8.2.2: te of another value', [...REQUEST, ['te', 'gzip']]),
  malformed('8.3: an unknown pseudo-header field', [...REQUEST, [':test', 'ok']]),
  malformed('8.3: a pseudo-header field of responses', [...REQUEST, [':status', '200']]),
  malformed('8.3: a pseudo-header field behind others', [
    METHOD,
    SCHEME,
    PATH,
    ['x-a', 'b'],
    AUTHORITY,
  ]),
  malformed('8.3: a colon alone', [...REQUEST, [':', 'ok']]),
  malformed('8.3.1: an empty :path', [METHOD, SCHEME, [':path', ''], AUTHORITY]),
  malformed('8.3.1: no :method', [SCHEME, PATH, AUTHORITY]),
  malformed('8.3.1: no :scheme', [METHOD, PATH, AUTHORITY]),
  malformed('8.3.1: no :path', [METHOD, SCHEME, AUTHORITY]),
  malformed('8.3.1: two :method', [METHOD, METHOD, SCHEME, PATH, AUTHORITY]),
  malformed('8.3.1: two :scheme', [METHOD, SCHEME, SCHEME, PATH, AUTHORITY]),
  malformed('8.3.1: two :path', [METHOD, SCHEME, PATH, PATH, AUTHORITY]),
  malformed('8.3.1: two :authority', [METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY]),
  malformed('8.3.1: a space in :path', [METHOD, SCHEME, [':path', '/a b'], AUTHORITY]),
  malformed('8.3.1: a line in :path', [METHOD, SCHEME, [':path', '/ HTTP/1.1\r\nx: y'], AUTHORITY]),
  malformed('8.3.1: a line in :method', [
    [':method', 'GET / HTTP/1.1\r\n'],
    SCHEME,
    PATH,
    AUTHORITY,
  ]),
  malformed('8.3.1: a line in :authority', [METHOD, SCHEME, PATH, [':authority', 'a\r\nb: c']]),
  malformed('8.3.1: user information in :authority', [METHOD, SCHEME, PATH, [':authority', 'a@b']]),
  malformed('8.3.1: host unlike :authority', [...REQUEST, ['host', 'b.test']]),
  malformed('8.5: CONNECT with :scheme and :path', [
    [':method', 'CONNECT'],
    SCHEME,
    PATH,
    AUTHORITY,
  ]),
  malformed('8.5: CONNECT without :authority', [[':method', 'CONNECT']]),
]

const LENGTHS: readonly Case[] = [
  {
    name: '8.1.1: content-length is the length',
    send: [posted('4'), data(1, 'te'), data(1, 'st', END_STREAM)],
    told: answered(1),
    app: POSTED,
  },
  {
    name: '8.1.1: content-length, and padding, which does not count',
    send: [posted('4'), data(1, 'te', 0, 9), data(1, 'st', END_STREAM, 3)],
    told: answered(1),
    app: POSTED,
  },
  {
    name: '8.1.1: content-length, and END_STREAM in a frame of its own',
    send: [posted('4'), data(1, 'test'), data(1, '', END_STREAM)],
    told: answered(1),
    app: POSTED,
  },
  {
    name: '8.1.1: content-length, and trailers',
    send: [posted('4'), data(1, 'test'), headers(1, block([['x-sum', '1']]))],
    told: answered(1),
  },
  {
    name: '8.1.1: content-length 0 and END_STREAM',
    send: [headers(1, request([['content-length', '0']], 'POST'))],
    told: answered(1),
  },
  {
    name: '8.1.1: content-length that DATA does not reach',
    send: [posted('5'), data(1, 'test', END_STREAM)],
    told: RESET,
  },
  {
    name: '8.1.1: content-length that several DATA do not reach',
    send: [posted('5'), data(1, 'te'), data(1, 'st', END_STREAM)],
    told: RESET,
  },
  {
    name: '8.1.1: content-length that trailers cut short',
    send: [posted('5'), data(1, 'te'), headers(1, block([['x-sum', '1']]))],
    told: RESET,
  },
  {
    name: '8.1.1: content-length that DATA exceeds',
    send: [posted('1'), data(1, 'test', END_STREAM)],
    told: RESET,
  },
  {
    name: '8.1.1: content-length that several DATA exceed',
    send: [posted('3'), data(1, 'te'), data(1, 'st')],
    told: RESET,
    app: ['1 head POST /', '1 body "te"', '1 reset PROTOCOL_ERROR by us'],
  },
  {
    name: '8.1.1: content-length without a body',
    send: [headers(1, request([['content-length', '4']], 'POST'))],
    told: RESET,
    app: ['1 reset PROTOCOL_ERROR by us'],
  },
  {
    name: '8.1.1: content-length 0 and a body',
    send: [posted('0'), data(1, 'a', END_STREAM)],
    told: RESET,
  },
  {
    name: '8.1.1: content-length that is no number',
    send: [posted('4x')],
    told: RESET,
    app: ['1 reset PROTOCOL_ERROR by us'],
  },
  {
    name: '8.1.1: content-length twice',
    send: [
      headers(
        1,
        request(
          [
            ['content-length', '4'],
            ['content-length', '5'],
          ],
          'POST',
        ),
        END_HEADERS,
      ),
    ],
    told: RESET,
    app: ['1 reset PROTOCOL_ERROR by us'],
  },
]

function posted(length: string): Buffer {
  return headers(1, request([['content-length', length]], 'POST'), END_HEADERS)
}

const SOUND: readonly Case[] = [
  {
    name: '8.2.2: te: trailers',
    send: [headers(1, request([['te', 'trailers']]))],
    told: answered(1),
  },
  {
    name: '8.2.3: cookie crumbs',
    send: [
      headers(
        1,
        request([
          ['cookie', 'a=b'],
          ['x', 'y'],
          ['cookie', 'c=d'],
        ]),
      ),
    ],
    told: answered(1),
  },
  {
    name: '8.3.1: host instead of :authority',
    send: [headers(1, block([METHOD, SCHEME, PATH, ['host', 'a.test']]))],
    told: answered(1),
  },
  {
    name: '8.3.1: host like :authority',
    send: [headers(1, request([['host', 'a.test']]))],
    told: answered(1),
  },
  {
    name: '8.3.1: OPTIONS *',
    send: [headers(1, block([[':method', 'OPTIONS'], SCHEME, [':path', '*'], AUTHORITY]))],
    told: answered(1),
    app: ['1 head OPTIONS *', '1 end'],
  },
]

conform(t, [...EXCHANGES, ...TRAILERS, ...FIELDS, ...LENGTHS, ...SOUND])

const todo = 'the body of a CONNECT is refused as one that is longer than Content-Length'
t.test('http2: RFC 9113 section 8.5: CONNECT', { todo }, async (t) => {
  const rig = new H2Rig({ manners: { answers: 'never' } })
  const tunnel = [[':method', 'CONNECT'] as const, [':authority', 'a.test:1'] as const]
  rig.feed(headers(1, block(tunnel), END_HEADERS), data(1, 'test'))
  t.strictSame(rig.told(), [])
  t.strictSame(rig.app.take(), ['1 head CONNECT a.test:1', '1 body "test"'])
})
