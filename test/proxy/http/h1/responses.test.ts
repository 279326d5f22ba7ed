// Responses: every one that must be refused, those that are accepted, and how each ends.

import t, { type Test } from 'tap'
import { Event } from '../../../../src/proxy/http/h1/event.ts'
import { Framing } from '../../../../src/proxy/http/h1/head.ts'
import { DEFAULT_LIMITS } from '../../../../src/proxy/http/h1/limits.ts'
import { RESPONSE_STATUS, Refusal } from '../../../../src/proxy/http/h1/refusal.ts'
import { RequestReader } from '../../../../src/proxy/http/h1/request-reader.ts'
import { ResponseReader } from '../../../../src/proxy/http/h1/response-reader.ts'
import { Asked, askedBy } from '../../../../src/proxy/http/h1/response-rules.ts'
import { cutAt, type Options, readResponses, singly, type Transcript } from './transcript.ts'

type Case = readonly [name: string, bytes: string, reason: string, asked?: number]

const TE = 'Transfer-Encoding:'
const CL = 'Content-Length:'
const ok = (fields: string, body = ''): string => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`
const line = (text: string): string => `${text}\r\n${CL} 0\r\n\r\n`
const status = (code: number, fields: string, body = ''): string =>
  `HTTP/1.1 ${code} X\r\n${fields}\r\n${body}`

const REFUSED: readonly Case[] = [
  ['no HTTP at all', 'SSH-2.0-x\r\n', 'version-invalid'],
  ['an empty line first', `\r\n${ok('')}`, 'version-invalid'],
  ['HTTP/0.9', '<html>', 'version-invalid'],
  ['a lower-case version', line('http/1.1 200 OK'), 'version-invalid'],
  ['two spaces after the version', line('HTTP/1.1  200 OK'), 'status-invalid'],
  ['a tab after the version', line('HTTP/1.1\t200 OK'), 'version-invalid'],
  ['two digits after the point', line('HTTP/1.10 200 OK'), 'version-invalid'],
  ['HTTP/2', line('HTTP/2 200 OK'), 'version-invalid'],
  ['HTTP/2.0', line('HTTP/2.0 200 OK'), 'version-unsupported'],
  ['HTTP/1.2', line('HTTP/1.2 200 OK'), 'version-unsupported'],
  ['two digits', line('HTTP/1.1 20 OK'), 'status-invalid'],
  ['four digits', line('HTTP/1.1 2000 OK'), 'status-invalid'],
  ['letters', line('HTTP/1.1 abc OK'), 'status-invalid'],
  ['a plus sign', line('HTTP/1.1 +20 OK'), 'status-invalid'],
  ['status 099', line('HTTP/1.1 099 X'), 'status-invalid'],
  ['no space after the status', line('HTTP/1.1 200'), 'status-invalid'],
  ['no status', line('HTTP/1.1'), 'version-invalid'],
  ['a NUL in the reason', line('HTTP/1.1 200 O\0K'), 'reason-invalid'],
  ['ESC in the reason', line('HTTP/1.1 200 \x1b'), 'reason-invalid'],
  ['a bare LF after the reason', 'HTTP/1.1 200 OK\n\r\n', 'bare-lf'],
  ['a bare CR in the reason', line('HTTP/1.1 200 O\rK'), 'bare-cr'],
  ['a reason that never ends', `HTTP/1.1 200 ${'a'.repeat(9000)}`, 'start-line-too-long'],
  ['obs-fold', ok('X-A: b\r\n c\r\n'), 'obs-fold'],
  ['a space before the colon', ok('X-A : b\r\n'), 'space-before-colon'],
  ['a bare LF after a field', ok('X-A: b\nX-B: c\r\n'), 'bare-lf'],
  ['a bare CR in a value: splitting', ok('Location: /\rSet-Cookie: a=b\r\n'), 'bare-cr'],
  ['a NUL in a value', ok('X-A: \0\r\n'), 'value-invalid'],
  ['no colon', ok('X-A\r\n'), 'colon-missing'],
  ['a second status line among the fields', ok('HTTP/1.1 200 OK\r\n'), 'name-invalid'],
  ['content_length', ok('content_length: 3\r\n'), 'name-lookalike'],
  ['too many fields', ok('a: b\r\n'.repeat(101)), 'too-many-fields'],
  ['a field too large', ok(`a: ${'b'.repeat(17000)}\r\n`), 'field-too-large'],
  ['a head too large', ok(`a: ${'b'.repeat(9000)}\r\n`.repeat(8)), 'head-too-large'],
  ['length and chunked', ok(`${CL} 3\r\n${TE} chunked\r\n`, 'abc'), 'length-with-coding'],
  ['differing lengths', ok(`${CL} 3\r\n${CL} 4\r\n`), 'length-repeated'],
  ['the same length twice', ok(`${CL} 3\r\n${CL} 3\r\n`), 'length-repeated'],
  ['a malformed length', ok(`${CL} 3, 3\r\n`), 'length-invalid'],
  ['a negative length', ok(`${CL} -1\r\n`), 'length-invalid'],
  ['a length beyond 2^53', ok(`${CL} 9007199254740993\r\n`), 'length-invalid'],
  ['gzip, then chunked', ok(`${TE} gzip, chunked\r\n`), 'coding-unknown'],
  ['gzip until the end', ok(`${TE} gzip\r\n`), 'coding-invalid'],
  ['identity', ok(`${TE} identity\r\n`), 'coding-invalid'],
  ['chunked twice', ok(`${TE} chunked\r\n${TE} chunked\r\n`), 'coding-invalid'],
  ['chunked in HTTP/1.0', `HTTP/1.0 200 OK\r\n${TE} chunked\r\n\r\n0\r\n\r\n`, 'coding-in-http-10'],
  [
    'length and chunked to HEAD',
    ok(`${CL} 3\r\n${TE} chunked\r\n`),
    'length-with-coding',
    Asked.head,
  ],
  [
    'Connection: Content-Length',
    ok(`Connection: content-length\r\n${CL} 3\r\n`),
    'connection-names-protected',
  ],
  ['a malformed Connection', ok('Connection: a;b\r\n'), 'connection-invalid'],
  ['204 with a length', status(204, `${CL} 3\r\n`, 'abc'), 'body-forbidden'],
  ['204 with chunks', status(204, `${TE} chunked\r\n`, '0\r\n\r\n'), 'body-forbidden'],
  ['100 with a length', status(100, `${CL} 3\r\n`, 'abc'), 'body-forbidden'],
  ['103 with chunks', status(103, `${TE} chunked\r\n`), 'body-forbidden'],
  ['CONNECT granted with a length', ok(`${CL} 3\r\n`), 'body-forbidden', Asked.connect],
  ['CONNECT granted with chunks', ok(`${TE} chunked\r\n`), 'body-forbidden', Asked.connect],
  [
    '101 that nobody asked for',
    status(101, 'Upgrade: x\r\nConnection: upgrade\r\n'),
    'switch-unasked',
  ],
  [
    '101 to HEAD',
    status(101, 'Upgrade: x\r\nConnection: upgrade\r\n'),
    'switch-unasked',
    Asked.head,
  ],
  ['101 without Upgrade', status(101, 'Connection: upgrade\r\n'), 'switch-unasked', Asked.upgrade],
  ['101 without the option', status(101, 'Upgrade: x\r\n'), 'switch-unasked', Asked.upgrade],
  [
    '101 in HTTP/1.0',
    'HTTP/1.0 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'switch-unasked',
    Asked.upgrade,
  ],
]

const BODIES: readonly Case[] = [
  ['a chunk size that is none', ok(`${TE} chunked\r\n`, 'x\r\n'), 'chunk-size-invalid'],
  [
    'a chunk size that overflows',
    ok(`${TE} chunked\r\n`, 'fffffffffffffffff\r\n'),
    'chunk-size-overflow',
  ],
  ['a chunk that ends wrong', ok(`${TE} chunked\r\n`, '3\r\nabcd\r\n'), 'chunk-end-invalid'],
  ['a bare LF after a chunk size', ok(`${TE} chunked\r\n`, '3\nabc\r\n'), 'bare-lf'],
  ['an extension of white space', ok(`${TE} chunked\r\n`, '3 ;a\r\nabc\r\n'), 'chunk-size-invalid'],
  ['a forbidden trailer', ok(`${TE} chunked\r\n`, `0\r\n${CL} 3\r\n\r\n`), 'trailer-forbidden'],
  ['a body to HEAD', ok(`${CL} 3\r\n`, 'abc'), 'response-unsolicited', Asked.head],
  ['a body with 204', status(204, '', 'abc'), 'response-unsolicited'],
  ['a body with 304', status(304, `${CL} 3\r\n`, 'abc'), 'response-unsolicited'],
  [
    'a chunked body with 304',
    status(304, `${TE} chunked\r\n`, '0\r\n\r\n'),
    'response-unsolicited',
  ],
  ['more than the length', ok(`${CL} 3\r\n`, 'abcd'), 'response-unsolicited'],
  ['more than the chunks', ok(`${TE} chunked\r\n`, '0\r\n\r\n\r\n'), 'response-unsolicited'],
  ['a second response', ok(`${CL} 0\r\n`) + ok(`${CL} 0\r\n`), 'response-unsolicited'],
]

/** Reads the text whole, byte by byte and cut at every position, and expects the same of all. */
function read(t: Test, text: string, options: Options = {}): Transcript {
  const bytes = Buffer.from(text, 'latin1')
  const whole = readResponses([bytes], options)
  t.same(readResponses(singly(bytes), options), whole, 'the same byte by byte')
  for (let at = 1; at < Math.min(bytes.length, 200); at++) {
    const cut = readResponses(cutAt(bytes, [at]), options)
    if (JSON.stringify(cut) !== JSON.stringify(whole)) t.same(cut, whole, `the same cut at ${at}`)
  }
  return whole
}

t.test('responses: heads that are refused, all with the same status', async (t) => {
  t.equal(RESPONSE_STATUS, 502)
  for (const [name, text, reason, asked = 0] of REFUSED) {
    const { messages, refusal } = read(t, text, { asked: [asked] })
    t.same([refusal, messages], [reason, []], name)
  }
})

t.test('responses: bodies that are refused, and bytes that nobody asked for', async (t) => {
  for (const [name, text, reason, asked = 0] of BODIES) {
    const { messages, refusal } = read(t, text, { asked: [asked] })
    t.equal(refusal, reason, name)
    t.equal(messages.length, 1, `${name}: nothing after the first`)
  }
})

t.test('responses: a byte on an idle connection is refused, before and after', async (t) => {
  const reader = new ResponseReader(DEFAULT_LIMITS)
  const answer = Buffer.from(ok(`${CL} 0\r\n`))
  t.equal(reader.read(answer, 0, 0), Event.more, 'nothing came')
  t.ok(reader.expect(Asked.nothing))
  t.notOk(reader.expect(Asked.nothing), 'one at a time')
  t.ok(reader.silent)
  reader.read(answer, 0, 1)
  t.notOk(reader.silent)
  t.notOk(reader.idle)
  t.equal(reader.read(answer, 1, answer.length), Event.head)
  t.equal(reader.read(answer, reader.position, answer.length), Event.end)
  t.ok(reader.idle)
  t.equal(reader.read(answer, 0, answer.length), Event.refused)
  t.equal(reader.refusal, Refusal.responseUnsolicited)
  t.notOk(reader.idle)
  t.notOk(reader.expect(Asked.nothing), 'and the connection is no good any more')
  t.equal(reader.read(answer, 0, answer.length), Event.refused)
})

t.test('responses: what is accepted', async (t) => {
  const one = (text: string, options: Options = {}): object | undefined => {
    const { messages, refusal } = read(t, text, options)
    t.equal(refusal, undefined, text)
    t.equal(messages.length, 1)
    return messages[0]
  }
  const complete = true
  t.match(one(ok(`${CL} 3\r\n`, 'abc')), {
    line: '200 OK',
    body: 'abc',
    persistent: true,
    complete,
  })
  t.match(one(`HTTP/1.1 404 \r\n${CL} 0\r\n\r\n`), {
    line: '404 ',
    framing: Framing.none,
    complete,
  })
  t.match(one(`HTTP/1.1 200 caf\xe9 \t!\r\n${CL} 0\r\n\r\n`), { line: '200 caf\xe9 \t!' })
  t.match(one(line('HTTP/1.1 799 X')), { line: '799 X', complete })
  t.match(one(ok(`${TE} chunked\r\n`, '2\r\nab\r\n0\r\nX: y\r\n\r\n')), {
    body: '2\r\nab\r\n0\r\nX: y\r\n\r\n',
    trailers: [['X', 'y']],
    complete,
  })
  t.match(one(ok(`${TE} chunked\r\n`, '2\r\nab\r\n0\r\nX: y\r\n\r\n'), { decode: true }), {
    body: 'ab',
    complete,
  })
  t.match(one(ok(`${CL} 3\r\n`), { asked: [Asked.head] }), { framing: Framing.none, complete })
  t.match(one(ok(`${TE} chunked\r\n`), { asked: [Asked.head] }), { body: '', complete })
  t.match(one(ok(''), { asked: [Asked.head] }), {
    framing: Framing.none,
    persistent: true,
    complete,
  })
  t.match(one(status(304, `${CL} 3\r\n`)), { body: '', persistent: true, complete })
  t.match(one(status(204, '')), { body: '', persistent: true, complete })
  t.match(one(status(204, `${CL} 0\r\n`)), { body: '', complete })
  t.match(one(status(403, `${CL} 3\r\n`, 'abc'), { asked: [Asked.connect] }), {
    body: 'abc',
    complete,
  })
  t.match(one(ok(`${CL} 0\r\nConnection: close\r\n`)), { persistent: false, complete })
  t.match(one(`HTTP/1.0 200 OK\r\n${CL} 1\r\n\r\na`), { persistent: false, complete })
  t.match(one(`HTTP/1.0 200 OK\r\n${CL} 1\r\nConnection: keep-alive\r\n\r\na`), {
    persistent: true,
  })
})

t.test('responses: a body may end with the connection, and only then', async (t) => {
  const until = read(t, ok('', 'all of it'), { close: true })
  t.match(until, {
    refusal: undefined,
    messages: [{ framing: Framing.close, persistent: false, body: 'all of it', complete: true }],
  })
  t.match(read(t, ok('', 'so far')), { messages: [{ complete: false }] })
  const cut = (text: string): string | undefined => read(t, text, { close: true }).refusal
  t.equal(cut('HTTP/1.1 200'), 'head-truncated')
  t.equal(cut(''), 'head-truncated')
  t.equal(cut(status(100, '')), 'head-truncated')
  t.equal(cut(ok(`${CL} 3\r\n`, 'ab')), 'body-truncated')
  t.equal(cut(ok(`${TE} chunked\r\n`, '3\r\nabc\r\n')), 'body-truncated')
  t.equal(cut(ok(`${CL} 3\r\n`, 'abc')), undefined)
  const reader = new ResponseReader(DEFAULT_LIMITS)
  t.equal(reader.close(), Event.more, 'an idle connection may end')
})

t.test('responses: interim responses come before the one that counts', async (t) => {
  const text = `${status(100, '')}${status(103, 'Link: a\r\n')}${ok(`${CL} 1\r\n`, 'a')}`
  const { messages, refusal } = read(t, text)
  t.equal(refusal, undefined)
  t.same(
    messages.map((message) => message.line),
    ['100 X', '103 X', '200 OK'],
  )
})

t.test('responses: after an interim one the server has been heard', async (t) => {
  const reader = new ResponseReader(DEFAULT_LIMITS)
  const bytes = Buffer.from(status(100, ''))
  reader.expect(Asked.nothing)
  t.ok(reader.silent)
  t.equal(reader.read(bytes, 0, bytes.length), Event.interim)
  t.notOk(reader.silent)
})

t.test('responses: one after another, each to its request', async (t) => {
  const text = `${ok(`${CL} 5\r\n`)}${ok(`${CL} 2\r\n`, 'ab')}${status(304, `${CL} 2\r\n`)}${ok('Connection: close\r\n', 'x')}`
  const { messages, refusal } = read(t, text, { asked: [Asked.head, 0, 0, 0], close: true })
  t.equal(refusal, undefined)
  t.same(
    messages.map(({ body, complete }) => [body, complete]),
    [
      ['', true],
      ['ab', true],
      ['', true],
      ['x', true],
    ],
  )
})

t.test('responses: tunnels leave their bytes to the caller', async (t) => {
  const switched = status(101, 'Upgrade: websocket\r\nConnection: Upgrade\r\n')
  const upgraded = read(t, `${switched}\x81\x00`, { asked: [Asked.upgrade] })
  t.match(upgraded, { rest: '\x81\x00', messages: [{ framing: Framing.tunnel, upgrade: true }] })
  for (const text of [ok(''), ok(`${CL} 0\r\n`), status(299, '')]) {
    const connected = read(t, `${text}bytes`, { asked: [Asked.connect] })
    t.match(connected, {
      rest: 'bytes',
      messages: [{ framing: Framing.tunnel, persistent: false }],
    })
  }
})

t.test('responses: what was asked is read from the request', async (t) => {
  const asked = (text: string): number => {
    const reader = new RequestReader(DEFAULT_LIMITS)
    const bytes = Buffer.from(`${text}\r\n\r\n`)
    t.equal(reader.read(bytes, 0, bytes.length), Event.head)
    return askedBy(reader.head)
  }
  t.equal(asked('GET / HTTP/1.1\r\nHost: a'), Asked.nothing)
  t.equal(asked('HEAD / HTTP/1.1\r\nHost: a'), Asked.head)
  t.equal(asked('CONNECT a:1 HTTP/1.1\r\nHost: a:1'), Asked.connect)
  t.equal(asked('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade'), Asked.upgrade)
})
