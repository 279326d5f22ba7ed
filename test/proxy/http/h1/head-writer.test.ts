// The head as it is forwarded: the bytes that came, less what belongs to one hop, plus what is added.

import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import t from 'tap'
import {
  FIELD_NAMES,
  Field,
  fieldBits,
  fieldOf,
  HOP_BY_HOP,
} from '../../../../src/proxy/http/fields.ts'
import { Event } from '../../../../src/proxy/http/h1/event.ts'
import { HeadWriter } from '../../../../src/proxy/http/h1/head-writer.ts'
import { RequestReader } from '../../../../src/proxy/http/h1/request-reader.ts'
import { ResponseReader } from '../../../../src/proxy/http/h1/response-reader.ts'
import { Head } from '../../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../../src/proxy/http/limits.ts'
import { METHOD_NAMES, Method, methodOf } from '../../../../src/proxy/http/method.ts'

function requestHead(text: string): Head {
  const reader = new RequestReader(DEFAULT_LIMITS)
  const bytes = Buffer.from(text, 'latin1')
  const event = reader.read(bytes, 0, bytes.length)
  if (event !== Event.head) throw new Error(`refused: ${reader.refusal}`)
  return reader.head
}

function responseHead(text: string): Head {
  const reader = new ResponseReader(DEFAULT_LIMITS)
  reader.expect(0)
  const bytes = Buffer.from(text, 'latin1')
  const event = reader.read(bytes, 0, bytes.length)
  if (event === Event.refused) throw new Error(`refused: ${reader.refusal}`)
  return reader.head
}

const written = (writer: HeadWriter): string | undefined => writer.finish()?.toString('latin1')

function forward(text: string, cut?: number): string | undefined {
  const writer = new HeadWriter()
  writer.request(requestHead(text), cut)
  return written(writer)
}

t.test('head writer: what nobody need change goes as it came', async (t) => {
  const text = 'GET /a?b HTTP/1.1\r\nhOST: a\r\nX-Odd:  \t caf\xe9 \r\nx-odd:\r\nCookie: a\r\n\r\n'
  t.equal(forward(text), text)
})

t.test('head writer: hop-by-hop fields go, wherever they stand', async (t) => {
  const hop = [
    'Connection: keep-alive',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: x',
    'TE: trailers',
    'upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAAQ',
  ]
  for (const field of hop) {
    for (const fields of [
      `${field}\r\nHost: a\r\nX: y`,
      `Host: a\r\n${field}\r\nX: y`,
      `Host: a\r\nX: y\r\n${field}`,
    ]) {
      t.equal(
        forward(`GET / HTTP/1.1\r\n${fields}\r\n\r\n`),
        'GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n',
        fields,
      )
    }
  }
  const all = `GET / HTTP/1.1\r\n${hop.join('\r\n')}\r\nHost: a\r\n\r\n`
  t.equal(forward(all), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
})

t.test('head writer: so do those that Connection names', async (t) => {
  t.equal(
    forward(
      'GET / HTTP/1.1\r\nX-Foo: 1\r\nHost: a\r\nConnection: x-FOO, Cookie,X-B\r\nx-foo: 2\r\nCookie: c\r\nX-Foot: 3\r\nConnection: x-late\r\nX-Late: 4\r\n\r\n',
    ),
    'GET / HTTP/1.1\r\nHost: a\r\nX-Foot: 3\r\n\r\n',
  )
})

t.test('head writer: a nomination is forgotten with its message', async (t) => {
  const reader = new RequestReader(DEFAULT_LIMITS)
  const writer = new HeadWriter()
  const first = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nConnection: x\r\n\r\n')
  const second = 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n'
  reader.read(first, 0, first.length)
  reader.read(first, reader.position, first.length)
  t.equal(reader.read(Buffer.from(second), 0, second.length), Event.head)
  writer.request(reader.head)
  t.equal(written(writer), second)
})

t.test('head writer: the caller cuts and adds', async (t) => {
  const head = requestHead(
    'GET / HTTP/1.1\r\nHost: a\r\nTraceparent: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  )
  const writer = new HeadWriter()
  writer.request(head, (HOP_BY_HOP & ~fieldBits(Field.upgrade)) | fieldBits(Field.traceparent))
  writer.add('Connection', 'upgrade')
  writer.addLines(Buffer.from('x-a: 1\r\nx-b: 2\r\n'))
  t.equal(
    written(writer),
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nx-a: 1\r\nx-b: 2\r\n\r\n',
  )
})

t.test('head writer: nothing added can break the head', async (t) => {
  const head = requestHead('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const bad: [string, string][] = [
    ['x', 'a\r\nb: c'],
    ['x', 'a\nb'],
    ['x', 'a\0'],
    ['x', 'a\x7f'],
    ['x', '\u010a'],
    ['x', '\u{1f600}'],
    ['', 'a'],
    ['x y', 'a'],
    ['x:', 'a'],
    ['x\r\n', 'a'],
  ]
  const writer = new HeadWriter()
  for (const [name, value] of bad) {
    writer.request(head)
    writer.add(name, value)
    writer.add('fine', 'fine')
    t.equal(writer.finish(), undefined, JSON.stringify([name, value]))
  }
  writer.request(head)
  writer.add('x', 'caf\xe9')
  t.equal(
    written(writer),
    'GET / HTTP/1.1\r\nHost: a\r\nx: caf\xe9\r\n\r\n',
    'and the next is sound',
  )
})

t.test('head writer: the version is ours', async (t) => {
  t.equal(
    forward('GET / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n\r\n'),
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  )
  const writer = new HeadWriter()
  writer.response(responseHead('HTTP/1.0 200 Fine\r\nContent-Length: 0\r\n\r\n'))
  t.equal(written(writer), 'HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n')
})

t.test('head writer: responses without a body carry no length', async (t) => {
  const writer = new HeadWriter()
  writer.response(responseHead('HTTP/1.1 204 X\r\nContent-Length: 0\r\nA: b\r\n\r\n'))
  t.equal(written(writer), 'HTTP/1.1 204 X\r\nA: b\r\n\r\n')
  writer.response(responseHead('HTTP/1.1 304 X\r\nContent-Length: 7\r\n\r\n'))
  t.equal(written(writer), 'HTTP/1.1 304 X\r\nContent-Length: 7\r\n\r\n')
})

t.test('head writer: what was handed out and is still needed is not written again', async (t) => {
  const writer = new HeadWriter()
  const fields = `X: ${'y'.repeat(300)}\r\n`
  const texts = Array.from(
    { length: 1000 },
    (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`,
  )
  const heads = texts.map((text) => {
    writer.request(requestHead(text))
    writer.add('Added', 'z'.repeat(200))
    const bytes = writer.finish()
    writer.letGo()
    return bytes
  })
  const right = heads.every(
    (bytes, i) =>
      bytes?.toString('latin1') === `${texts[i]?.slice(0, -2)}Added: ${'z'.repeat(200)}\r\n\r\n`,
  )
  t.ok(right)
  writer.request(requestHead('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
  writer.add('Large', 'a'.repeat(200_000))
  t.equal(writer.finish()?.length, 'GET / HTTP/1.1\r\nHost: a\r\nLarge: \r\n\r\n'.length + 200_000)
})

t.test('head writer: heads of one length leave in the same bytes', async (t) => {
  const writer = new HeadWriter()
  const write = (path: string): Buffer | undefined => {
    writer.request(requestHead(`GET /${path} HTTP/1.1\r\nHost: a\r\n\r\n`))
    return writer.finish()
  }
  const first = write('a')
  t.equal(write('b'), first, 'no object is made for the second')
  t.match(first?.toString(), /^GET \/b /)
  writer.letGo()
  t.not(write('c'), first)
  t.match(first?.toString(), /^GET \/b /, 'what is let go stays as it is')
})

t.test('head writer: one large head does not make those that wait as large', async (t) => {
  const writer = new HeadWriter()
  writer.request(requestHead(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(15_000)}\r\n\r\n`))
  t.ok((writer.finish()?.length ?? 0) > 15_000)
  writer.letGo()
  for (let turn = 0; turn < 3; turn += 1) {
    writer.request(requestHead('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    writer.finish()
    writer.letGo()
  }
  writer.request(requestHead('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
  const bytes = writer.finish()
  t.match(bytes?.toString(), /^GET \/ /)
  // Small buffers share a slab of the runtime's.
  t.ok((bytes?.buffer.byteLength ?? 0) <= 8192 * 2, `${bytes?.buffer.byteLength ?? 0} bytes`)
})

t.test('head writer: a number, digit by digit', async (t) => {
  const head = requestHead('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const [before, after] = [Buffer.from('x: '), Buffer.from('m\r\n')]
  const writer = new HeadWriter()
  const numbers = [0, 1, 9, 10, 99, 100, 101, 12_345, 999_999, 1e6, 2 ** 31, 9_999_999_999]
  for (const number of [...numbers, 1e15, Number.MAX_SAFE_INTEGER]) {
    writer.request(head)
    writer.addNumber(before, number, after)
    writer.addNumber(before, 7, after)
    t.equal(written(writer), `GET / HTTP/1.1\r\nHost: a\r\nx: ${number}m\r\nx: 7m\r\n\r\n`)
  }
  // It makes room for itself.
  writer.request(requestHead(`GET / HTTP/1.1\r\nHost: ${'a'.repeat(980)}\r\n\r\n`))
  for (let count = 0; count < 50; count++) writer.addNumber(before, 123_456_789, after)
  t.ok(written(writer)?.endsWith('\r\nx: 123456789m\r\n\r\n'))
})

t.test('fields and methods: every name is found, in any case, and nothing else', async (t) => {
  for (let code = 1; code < FIELD_NAMES.length; code++) {
    const name = FIELD_NAMES[code] ?? ''
    const find = (text: string): number => fieldOf(Buffer.from(`-${text}-`), 1, text.length + 1)
    t.equal(find(name), code, name)
    t.equal(find(name.toUpperCase()), code, name)
    t.equal(find(`${name}x`), 0)
    t.equal(find(`${name.slice(0, -1)}~`), 0)
  }
  t.equal(fieldOf(Buffer.from('x'.repeat(40)), 0, 40), 0)
  for (let code = 1; code < METHOD_NAMES.length; code++) {
    const name = METHOD_NAMES[code] ?? ''
    const find = (text: string): number => methodOf(Buffer.from(text), 0, text.length)
    t.equal(find(name), code, name)
    t.equal(find(name.toLowerCase()), Method.other)
    t.equal(find(`${name.slice(0, -1)}_`), Method.other)
  }
})

t.test('head: one hidden class, whatever was read', async (t) => {
  setFlagsFromString('--allow-natives-syntax')
  const sameMap = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (
    a: object,
    b: object,
  ) => boolean
  const plain = requestHead('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const large = requestHead(
    `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${2 ** 40}\r\n${'X: y\r\n'.repeat(60)}\r\n`,
  )
  t.notOk(sameMap(plain, {}), 'the question can be answered with no')
  t.ok(sameMap(plain, new Head()))
  t.ok(sameMap(plain, large))
  t.ok(sameMap(plain, responseHead('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')))
})
