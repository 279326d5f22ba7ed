// Responses: every one that must be refused, those that are accepted, and how each ends.

import t, { type Test } from 'tap'
import { Event } from '../../../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../../../src/proxy/http/h1/request-reader.ts'
import { ResponseReader } from '../../../../src/proxy/http/h1/response-reader.ts'
import { Asked, askedBy } from '../../../../src/proxy/http/h1/response-rules.ts'
import { Framing } from '../../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../../src/proxy/http/limits.ts'
import { RESPONSE_STATUS, Refusal } from '../../../../src/proxy/http/refusal.ts'
import { BODIES, CL, line, ok, REFUSED, status, TE } from './refused-responses.ts'
import { cutAt, type Options, readResponses, singly, type Transcript } from './transcript.ts'

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
