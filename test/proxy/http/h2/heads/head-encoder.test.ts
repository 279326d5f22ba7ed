// Heads as they leave in HTTP/2: which pseudo-header fields, what goes and what stays, what is added.

import t from 'tap'
import { Field, fieldBits } from '../../../../../src/proxy/http/fields.ts'
import { TRAILERS_LINES } from '../../../../../src/proxy/http/h1/hop-lines.ts'
import { Asked } from '../../../../../src/proxy/http/h1/response-rules.ts'
import { HeadEncoder } from '../../../../../src/proxy/http/h2/head-encoder.ts'
import type { HeaderField } from '../../../../../src/proxy/http/h2/hpack/header-field.ts'
import { Decoded, HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { HpackEncoder } from '../../../../../src/proxy/http/h2/hpack/hpack-encoder.ts'
import type { Head } from '../../../../../src/proxy/http/head.ts'
import { built, GET, list, OK, readText } from './header-lists.ts'

/** An encoder, and the other end of its connection. */
class Wire {
  readonly heads: HeadEncoder = new HeadEncoder(new HpackEncoder(4096))
  readonly #decoder = new HpackDecoder(4096)
  /** Of the last block: those that may stand in no table. */
  sensitive: string[] = []

  /** The list that arrives as `name: value`; undefined if there is no block. */
  finish(): string[] | undefined {
    if (!this.heads.finish()) return undefined
    const lines: string[] = []
    this.sensitive = []
    const field = (field: HeaderField): void => {
      const { start, nameLength, valueLength } = field
      const line = field.bytes.toString('latin1', start, start + nameLength + valueLength + 2)
      lines.push(line)
      if (field.isSensitive) this.sensitive.push(line)
    }
    const { block, length } = this.heads
    const decoded = this.#decoder.decode(block, 0, length, { field })
    if (decoded !== Decoded.ok) throw new Error(`decoded as ${decoded}`)
    return lines
  }
}

function head(what: 'request' | 'response', text: string, asked = 0): Head {
  const read = readText(what, `${text}\r\n\r\n`, asked)
  if (typeof read === 'string') throw new Error(read)
  return read
}

function sent(text: string, cut = 0, authority?: string): string[] | undefined {
  const wire = new Wire()
  wire.heads.request(head('request', text), cut, authority)
  return wire.finish()
}

function answered(text: string, asked = 0): string[] | undefined {
  const wire = new Wire()
  wire.heads.response(head('response', text, asked), 0)
  return wire.finish()
}

const PSEUDOS: Readonly<Record<string, readonly string[]>> = {
  'GET /a?b HTTP/1.1\r\nHost: A:80': [
    ':method: GET',
    ':scheme: http',
    ':authority: A:80',
    ':path: /a?b',
  ],
  'GET http://b HTTP/1.1\r\nHost: b': [
    ':method: GET',
    ':scheme: http',
    ':authority: b',
    ':path: /',
  ],
  'GET HTTPS://b/c HTTP/1.1\r\nHost: b': [
    ':method: GET',
    ':scheme: https',
    ':authority: b',
    ':path: /c',
  ],
  'GET http://b?c HTTP/1.1\r\nHost: b': [
    ':method: GET',
    ':scheme: http',
    ':authority: b',
    ':path: /?c',
  ],
  'OPTIONS * HTTP/1.1\r\nHost: b': [
    ':method: OPTIONS',
    ':scheme: http',
    ':authority: b',
    ':path: *',
  ],
  'OPTIONS http://b:1 HTTP/1.1\r\nHost: b:1': [
    ':method: OPTIONS',
    ':scheme: http',
    ':authority: b:1',
    ':path: *',
  ],
  'OPTIONS http://b/ HTTP/1.1\r\nHost: b': [
    ':method: OPTIONS',
    ':scheme: http',
    ':authority: b',
    ':path: /',
  ],
  'CONNECT b:1 HTTP/1.1\r\nHost: B:1': [':method: CONNECT', ':authority: b:1'],
  'get //x HTTP/1.1\r\nHost: b': [':method: get', ':scheme: http', ':authority: b', ':path: //x'],
}

t.test(
  'head encoder: RFC 9113 8.3.1: the first line and Host make the pseudo-header fields',
  async (t) => {
    for (const [text, pseudos] of Object.entries(PSEUDOS)) {
      t.same(sent(`${text}\r\nX-A:  y `), [...pseudos, 'x-a: y'], text)
    }
  },
)

t.test('head encoder: RFC 9113 8.2.2: what belongs to a hop stays behind', async (t) => {
  const hop = ['Connection: x-b, x-C', 'Keep-Alive: a', 'Proxy-Connection: a', 'Upgrade: a']
  const rest = ['X-B: 1', 'x-c: 2', 'x-b: 3', 'HTTP2-Settings: a', 'Transfer-Encoding: chunked']
  const text = ['POST / HTTP/1.1', 'Host: a', ...hop, 'X-D: 4', ...rest].join('\r\n')
  t.same(sent(text)?.slice(4), ['x-d: 4'])
  t.same(
    answered(
      'HTTP/1.1 200 OK\r\nConnection: a, close\r\nA: b\r\nTransfer-Encoding: chunked\r\nX: y',
    ),
    [':status: 200', 'x: y'],
  )
})

t.test('head encoder: what the caller cuts goes too', async (t) => {
  const text = 'GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 b\r\nCookie: c\r\nX: y\r\nVia: 1.1 d'
  t.same(sent(text, fieldBits(Field.via))?.slice(4), ['cookie: c', 'x: y'])
})

t.test('head encoder: RFC 9110 10.1.4: trailers are welcomed anew', async (t) => {
  t.same(sent('GET / HTTP/1.1\r\nTE: gzip, Trailers\r\nHost: a\r\nX: y')?.slice(4), [
    'x: y',
    'te: trailers',
  ])
  t.same(sent('GET / HTTP/1.1\r\nTE: gzip\r\nHost: a')?.slice(4), [])
  const wire = new Wire()
  wire.heads.request(built('request', [...GET, ...list('te: trailers')]), 0)
  wire.heads.addLines(TRAILERS_LINES)
  t.same(
    wire.finish()?.slice(4),
    ['te: trailers'],
    'once, whatever lines a hop of HTTP/1.1 has for it',
  )
})

t.test(
  'head encoder: RFC 9112 3.2: HTTP/1.0 may have no Host, and HTTP/2 needs an authority',
  async (t) => {
    const text = 'POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3'
    const pseudos = [':method: POST', ':scheme: http', ':authority: 10.0.0.1:80', ':path: /']
    t.same(
      sent(text, 0, '10.0.0.1:80'),
      [...pseudos, 'content-length: 3'],
      'nor has it expectations',
    )
    t.equal(sent(text), undefined)
    t.match(sent('GET / HTTP/1.1\r\nHost: a', 0, '[::1]:80'), [/./, /./, ':authority: [::1]:80'])
    for (const authority of ['a b', 'u@a', 'a/', 'a\r\n', '\u0161']) {
      t.equal(sent('GET / HTTP/1.1\r\nHost: a', 0, authority), undefined, authority)
    }
  },
)

t.test('head encoder: RFC 9110 8.6: no length where there can be no body', async (t) => {
  const length = 'Content-Length: 0'
  t.same(answered(`HTTP/1.1 204 X\r\n${length}`), [':status: 204'])
  t.same(answered(`HTTP/1.1 103 X\r\n${length}`), [':status: 103'])
  t.same(answered(`HTTP/1.1 200 X\r\n${length}`, Asked.connect), [':status: 200'])
  t.same(answered(`HTTP/1.1 200 X\r\n${length}`), [':status: 200', 'content-length: 0'])
  t.same(answered('HTTP/1.1 304 X\r\nContent-Length: 9'), [':status: 304', 'content-length: 9'])
})

t.test('head encoder: fields are added behind those that there are', async (t) => {
  const wire = new Wire()
  const { heads } = wire
  heads.response(head('response', 'HTTP/1.1 200 OK\r\nX: y'), 0)
  heads.add('Server-Timing', ' a;b \t')
  heads.addLines(Buffer.from('A: \r\nProxy-Status:\tb; c\r\n'))
  heads.addNumber(Buffer.from('x-ms: '), 12_345, Buffer.from('\r\n'))
  heads.addNumber(Buffer.from('Grpc-Timeout: '), 0, Buffer.from('m\r\n'))
  heads.addNumber(Buffer.from('n: '), Number.MAX_SAFE_INTEGER, Buffer.from('\r\n'))
  heads.addLines(Buffer.alloc(0))
  t.same(wire.finish(), [
    ':status: 200',
    'x: y',
    'server-timing: a;b',
    'a: ',
    'proxy-status: b; c',
    'x-ms: 12345',
    'grpc-timeout: 0m',
    'n: 9007199254740991',
  ])
})

t.test('head encoder: lines of a hop of HTTP/1.1 are passed over', async (t) => {
  const wire = new Wire()
  wire.heads.status(503)
  wire.heads.addLines(Buffer.from('Connection: close\r\nX: y\r\nKeep-Alive: a\r\nTE: trailers\r\n'))
  wire.heads.add('Transfer-Encoding', 'chunked')
  t.same(wire.finish(), [':status: 503', 'x: y'])
})

/** Fields, as name and value or as whole lines. */
const UNSOUND: Readonly<Record<string, readonly [string, string] | string>> = {
  'an empty name': ['', 'a'],
  'a name that is no token': ['a b', 'c'],
  'a pseudo-header field': [':path', '/'],
  'a name beyond Latin-1': ['\u0161', 'a'],
  'a line break in a value': ['a', 'b\r\nc: d'],
  'a value beyond Latin-1': ['a', '\u010a'],
  'a second authority': ['Host', 'b'],
  'a lookalike of a length': ['content_length', '1'],
  'no colon': 'abc',
  'no end of the line': 'a: b',
  'half an end of the line': 'a: b\r',
  'nothing after the colon': 'a:',
  'a line feed alone': 'a: b\n',
  'an empty line': 'a: b\r\n\r\n',
  'a second line that is none': 'a: b\r\nc\r\n',
}

t.test(
  'head encoder: what could break the head gives none, and the table stays in step',
  async (t) => {
    const wire = new Wire()
    const { heads } = wire
    for (const [name, added] of Object.entries(UNSOUND)) {
      heads.request(built('request', [...GET, ...list(`x-new: ${name}`)]), 0)
      if (typeof added === 'string') heads.addLines(Buffer.from(added))
      else heads.add(...added)
      heads.add('x', 'y')
      t.equal(wire.finish(), undefined, name)
      t.equal(heads.length, 0)
      heads.request(built('request', [...GET, ...list('x-new: a')]), 0)
      t.same(wire.finish()?.slice(4), ['x-new: a'], 'the next one is sound')
    }
  },
)

t.test('head encoder: nor does a number without an end', async (t) => {
  const wire = new Wire()
  wire.heads.status(200)
  wire.heads.addNumber(Buffer.from('a: '), 1, Buffer.from(''))
  t.equal(wire.finish(), undefined)
})

t.test('head encoder: a head is finished once', async (t) => {
  const wire = new Wire()
  t.equal(wire.finish(), undefined, 'none was begun')
  wire.heads.status(200)
  t.same(wire.finish(), [':status: 200'])
  t.equal(wire.finish(), undefined)
})

t.test('head encoder: one that was begun and not finished leaves nothing behind', async (t) => {
  const wire = new Wire()
  wire.heads.request(built('request', [...GET, ...list('te: trailers', 'x: y')]), 0, 'b')
  wire.heads.add('z', 'z')
  wire.heads.response(built('response', OK), 0)
  t.same(wire.finish(), [':status: 200'])
})

t.test('head encoder: trailers', async (t) => {
  const wire = new Wire()
  wire.heads.trailers(built('trailers', list('grpc-status: 0', 'x: y')))
  t.same(wire.finish(), ['grpc-status: 0', 'x: y'])
  wire.heads.trailers(undefined)
  wire.heads.addNumber(Buffer.from('grpc-status: '), 14, Buffer.from('\r\n'))
  wire.heads.add('grpc-message', 'no')
  t.same(wire.finish(), ['grpc-status: 14', 'grpc-message: no'])
  wire.heads.trailers(undefined)
  t.same(wire.finish(), [])
})

t.test(
  'head encoder: RFC 7541 7.1.3: what a sender keeps out of tables stays out of ours',
  async (t) => {
    const fields = [
      ...GET,
      ...list('x-a: 1', 'x-key: secret', 'cookie: long enough to be worth it', 'x-b: 2'),
    ]
    const secrets = ['x-key', 'cookie']
    const wire = new Wire()
    for (let i = 0; i < 3; i++) {
      wire.heads.request(built('request', fields, { sensitive: secrets }), 0)
      t.same(wire.finish()?.slice(4), ['x-a: 1', 'x-key: secret', 'x-b: 2', fields[6]?.join(': ')])
      t.same(wire.sensitive, ['x-key: secret', fields[6]?.join(': ')])
    }
    wire.heads.request(built('request', fields), 0)
    wire.finish()
    t.same(wire.sensitive, [], 'but not for ever')
    const many = Array.from({ length: 60 }, (_, at) => [`x-${at}`, `${at}`] as const)
    const late = [...GET, ...many]
    wire.heads.request(built('request', late, { sensitive: ['x-50'] }).copy(), 0)
    wire.finish()
    t.ok(wire.sensitive.includes('x-50: 50'), 'however many stand before it')
    t.notOk(wire.sensitive.includes('x-28: 28'))
  },
)

t.test('head encoder: the table is as small as the peer wants it', async (t) => {
  const wire = new Wire()
  const send = (): number => {
    wire.heads.request(built('request', [...GET, ...list('x-a: 1')]), 0)
    wire.finish()
    return wire.heads.length
  }
  const first = send()
  t.ok(send() < first, 'what came before is one byte')
  wire.heads.tableSize(0)
  send()
  t.equal(send(), first, 'nothing is remembered')
})

t.test('head encoder: a large head is not kept', async (t) => {
  const wire = new Wire()
  wire.heads.status(200)
  wire.heads.add('x', 'y'.repeat(20_000))
  t.equal(wire.finish()?.[1]?.length, 20_003)
  wire.heads.rest()
  wire.heads.status(200)
  wire.heads.add('x', 'y')
  t.same(wire.finish(), [':status: 200', 'x: y'])
})
