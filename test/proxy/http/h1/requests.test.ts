// Requests that are accepted: what is read of them, that cutting changes nothing, and what stays of a connection.

import t, { type Test } from 'tap'
import { Field } from '../../../../src/proxy/http/fields.ts'
import { Event } from '../../../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../../../src/proxy/http/h1/request-reader.ts'
import { Framing, TargetForm } from '../../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../../src/proxy/http/limits.ts'
import { cutAt, readRequests, singly, type Transcript } from './transcript.ts'

const get = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

/** Reads the text whole, byte by byte and cut once at every position, and expects the same of all. */
function read(t: Test, text: string, options = {}): Transcript {
  const bytes = Buffer.from(text, 'latin1')
  const whole = readRequests([bytes], options)
  t.same(readRequests(singly(bytes), options), whole, 'the same byte by byte')
  for (let at = 1; at < Math.min(bytes.length, 200); at++) {
    const cut = readRequests(cutAt(bytes, [at]), options)
    if (JSON.stringify(cut) !== JSON.stringify(whole)) t.same(cut, whole, `the same cut at ${at}`)
  }
  return whole
}

t.test('requests: a head is read as it stands', async (t) => {
  const { messages, refusal } = read(
    t,
    'DELETE /a/b?c=d HTTP/1.1\r\nHOST:a.example:8080\r\nx-Empty:\r\nX-Space: \t a b \t\r\nX-Latin: caf\xe9\r\n\r\n',
  )
  t.equal(refusal, undefined)
  t.match(messages, [
    {
      line: 'DELETE /a/b?c=d',
      minor: 1,
      authority: 'a.example:8080',
      fields: [
        ['HOST', 'a.example:8080'],
        ['x-Empty', ''],
        ['X-Space', 'a b'],
        ['X-Latin', 'caf\xe9'],
      ],
      framing: Framing.none,
      persistent: true,
      complete: true,
    },
  ])
})

t.test('requests: targets that are in use', async (t) => {
  const targets = [
    '/',
    '//',
    '/a/../b;c=d,e',
    '/%7Euser/%2F',
    "/!$&'()*+,;=:@-._~",
    '/a[0]|b^{c}`d`?x[]=1&y={z}|^`',
    '/?100%',
    '/?a=/?:@%zz',
    'http://a/x',
    'HTTP://A/x',
    'http://a:80/x',
    'http://a',
    'http://a?b',
  ]
  for (const target of targets) {
    const { messages, refusal } = read(t, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
    t.match(
      { messages, refusal },
      { messages: [{ line: `GET ${target}` }], refusal: undefined },
      target,
    )
  }
})

t.test('requests: forms, methods and hosts', async (t) => {
  const reader = new RequestReader(DEFAULT_LIMITS)
  const accept = (text: string): RequestReader => {
    const bytes = Buffer.from(text)
    const fresh = new RequestReader(DEFAULT_LIMITS)
    t.equal(fresh.read(bytes, 0, bytes.length), Event.head, text)
    return fresh
  }
  t.ok(reader.idle)
  t.equal(accept('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n').head.targetForm, TargetForm.asterisk)
  t.equal(accept('GET /x HTTP/1.1\r\nHost: a\r\n\r\n').head.targetForm, TargetForm.origin)
  const absolute = accept('GET https://A.b:443/x HTTP/1.1\r\nHost: a.B\r\n\r\n').head
  t.equal(absolute.targetForm, TargetForm.absolute)
  t.equal(absolute.authority, 'A.b:443')
  const connect = accept('CONNECT [fd00::1]:443 HTTP/1.1\r\nHost: [FD00::1]:443\r\n\r\n').head
  t.equal(connect.targetForm, TargetForm.authority)
  t.equal(connect.authority, '[fd00::1]:443')
  for (const method of [
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'DELETE',
    'OPTIONS',
    'TRACE',
    'PATCH',
    'get',
    'PROPFIND',
    "!#$%&'*+-.^_`|~9",
  ]) {
    t.equal(accept(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).head.methodText, method)
  }
  for (const host of [
    'a',
    'a-b.c_d',
    '198.18.0.1',
    '198.18.0.1:1',
    '[::1]',
    '[::1]:65535',
    'a.',
    'A:080',
  ]) {
    t.equal(accept(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).head.authority, host)
  }
  t.equal(accept('GET / HTTP/1.0\r\n\r\n').head.authority, '')
})

t.test('requests: bodies are handed out as they came', async (t) => {
  const length = read(t, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello')
  t.match(length.messages, [{ framing: Framing.length, body: 'hello', complete: true }])
  const zeros = read(t, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nhello')
  t.match(zeros.messages, [{ body: 'hello', complete: true }])
  const none = read(t, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')
  t.match(none.messages, [{ framing: Framing.none, body: '', complete: true }])
  const body =
    '5\r\nhello\r\n00A;x;y=z;q="a;\\"\\\\\tb"\r\n0123456789\r\n000\r\nX-Sum: 1\r\nX-Two:\r\n\r\n'
  const text = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ChunKed\r\n\r\n${body}`
  const trailers = [
    ['X-Sum', '1'],
    ['X-Two', ''],
  ]
  t.match(read(t, text).messages, [{ framing: Framing.chunked, body, trailers, complete: true }])
  t.match(read(t, text, { decode: true }).messages, [
    { body: 'hello0123456789', trailers, complete: true },
  ])
})

t.test('requests: a body of many gigabytes is counted, not kept', async (t) => {
  const reader = new RequestReader(DEFAULT_LIMITS)
  const size = 2 ** 40 + 5
  const head = Buffer.from(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
  t.equal(reader.read(head, 0, head.length), Event.head)
  t.equal(reader.head.contentLength, size)
  const piece = Buffer.alloc(1024 * 1024)
  for (let left = size; left > 0; left -= piece.length) {
    const event = reader.read(piece, 0, Math.min(left, piece.length))
    if (event !== Event.body || reader.body.slice !== piece) t.fail('a slice of what was given')
  }
  t.equal(reader.read(piece, 0, 0), Event.end)
  t.ok(reader.idle)
})

t.test('requests: pipelined requests come one after another', async (t) => {
  const { messages, refusal } = read(
    t,
    [
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n',
      'POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\r\n',
      'POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\n',
      'GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      'GET /5 HTTP/1.1\r\nHost: a\r\n\r\n',
    ].join(''),
  )
  t.equal(refusal, undefined)
  t.match(
    messages.map(({ line, complete, persistent }) => [line, complete, persistent]),
    [
      ['GET /1', true, true],
      ['POST /2', true, true],
      ['POST /3', true, true],
      ['GET /4', true, false],
    ],
    'and none after close',
  )
})

t.test('requests: persistence', async (t) => {
  const persistent = (text: string): boolean | undefined => read(t, text).messages[0]?.persistent
  t.equal(persistent(get('')), true)
  t.equal(persistent(get('Connection: Close\r\n')), false)
  t.equal(persistent(get('Connection: keep-alive, , close\r\n')), false)
  t.equal(persistent(get('Connection: x\r\nConnection: close\r\n')), false)
  t.equal(persistent(get('Connection: closed\r\n')), true)
  t.equal(persistent(get('Connection:\r\n')), true)
  t.equal(persistent('GET / HTTP/1.0\r\n\r\n'), false)
  t.equal(persistent('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n'), true)
  t.equal(persistent('GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n'), false)
  t.equal(persistent('GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n'), false)
})

t.test('requests: Expect, TE and Upgrade', async (t) => {
  const first = (text: string): object | undefined => read(t, text).messages[0]
  const post = (minor: number, fields: string): string =>
    `POST / HTTP/1.${minor}\r\nHost: a\r\nContent-Length: 1\r\n${fields}\r\nx`
  t.match(first(post(1, 'Expect: 100-Continue\r\n')), { expectsContinue: true })
  t.match(first(post(0, 'Expect: 100-continue\r\n')), { expectsContinue: false })
  t.match(first(post(0, 'Expect: something\r\n')), { expectsContinue: false })
  t.match(first(get('Expect: 100-continue\r\n')), { expectsContinue: false }, 'no body to wait for')
  t.match(first(get('Upgrade: websocket\r\n')), { upgrade: false })
  t.match(first(get('Connection: upgrade\r\n')), { upgrade: false })
  t.match(first(get('Upgrade: websocket\r\nConnection: Upgrade\r\n')), { upgrade: true })
  const old = 'GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
  t.match(first(old), { upgrade: false })
  const welcome = (te: string): boolean => {
    const reader = new RequestReader(DEFAULT_LIMITS)
    const bytes = Buffer.from(get(te))
    reader.read(bytes, 0, bytes.length)
    return reader.head.trailersWelcome
  }
  t.equal(welcome('TE: trailers\r\n'), true)
  t.equal(welcome('TE: gzip;q=0.5 , Trailers\r\n'), true)
  t.equal(welcome('TE: gzip\r\nTE: trailers\r\n'), true)
  t.equal(welcome('TE: gzip;a=trailers\r\n'), false)
  t.equal(welcome('TE:\r\n'), false)
  t.equal(welcome(''), false)
})

t.test(
  'requests: after CONNECT and Upgrade the bytes are not read until it is decided',
  async (t) => {
    const upgrade = get('Upgrade: websocket\r\nConnection: Upgrade\r\n')
    const connect = 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'
    for (const text of [upgrade, connect]) {
      const { messages, rest, refusal } = read(t, `${text}\0 not http`)
      t.same([messages.length, rest, refusal], [1, '\0 not http', undefined])
      const reader = new RequestReader(DEFAULT_LIMITS)
      const bytes = Buffer.from(`${text}${get('')}`)
      t.equal(reader.read(bytes, 0, bytes.length), Event.head)
      t.equal(reader.read(bytes, reader.position, bytes.length), Event.end)
      t.equal(reader.read(bytes, reader.position, bytes.length), Event.paused)
      t.equal(reader.position, text.length)
      reader.resume()
      t.equal(reader.read(bytes, reader.position, bytes.length), Event.head, 'and may then be')
    }
  },
)

t.test('requests: fields are found without strings', async (t) => {
  const reader = new RequestReader(DEFAULT_LIMITS)
  const bytes = Buffer.from(
    get(
      'TraceParent: 00-1\r\nX-Foo: 1\r\nCOOKIE: a\r\ncookie: b\r\nx-foo: 2\r\nX-B3-TraceId: 3\r\n',
    ),
  )
  t.equal(reader.read(bytes, 0, bytes.length), Event.head)
  const { head } = reader
  t.equal(head.value(Field.traceparent), '00-1')
  t.equal(head.value(Field.cookie), 'a')
  t.equal(head.value(Field.xB3Traceid), '3')
  t.equal(head.value(Field.setCookie), undefined)
  t.ok((head.repeated & (1 << Field.cookie)) !== 0)
  t.equal(head.find('x-foo'), 2)
  t.equal(head.find('x-foo', 3), 5)
  t.equal(head.find('x-fo'), -1)
  head.keep()
  bytes.fill(0)
  t.equal(head.value(Field.host), 'a', 'and are kept where that is asked for')
  reader.release()
  t.equal(head.bytes.length, 0)
})

t.test('requests: limits are reached exactly', async (t) => {
  const limits = { ...DEFAULT_LIMITS, fields: 40 }
  const fields = Array.from({ length: 39 }, (_, i) => `x-${i}: ${i}\r\n`).join('')
  t.match(read(t, get(fields), { limits }), { refusal: undefined, messages: [{ complete: true }] })
  t.match(read(t, get(`${fields}x: y\r\n`), { limits }), { refusal: 'too-many-fields' })
  const target = `/${'a'.repeat(8 * 1024 - 'GET / HTTP/1.1\r\n'.length)}`
  const request = (target: string): Buffer =>
    Buffer.from(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
  t.match(readRequests([request(target)]), { refusal: undefined, messages: [{ complete: true }] })
  t.match(readRequests([request(`${target}a`)]), { refusal: 'target-too-long' })
  const extension = (length: number): Buffer =>
    Buffer.from(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(length)}\r\nx\r\n0\r\n\r\n`,
    )
  t.equal(readRequests([extension(1022)]).refusal, undefined)
  t.equal(readRequests([extension(1023)]).refusal, 'chunk-extension-too-large')
})
