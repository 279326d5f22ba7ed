// What is told from the first bytes, byte by byte: HTTP is never taken for something else, and nothing else waits.

import { METHODS as NODE_METHODS } from 'node:http'
import t, { type Test } from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { CLASS, HOST } from '../../../src/proxy/http/characters.ts'
import { detect, MOST_UNDECIDED, Spoken } from '../../../src/proxy/net/detection.ts'
import { Dice } from '../../fuzz/messages.ts'
import { REQUEST_LINES } from '../http/h1/refused-heads.ts'
import { readRequests } from '../http/h1/transcript.ts'
import { FIRST_BYTES } from './first-bytes.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

const REGISTERED =
  'ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY ' +
  'MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT QUERY ' +
  'REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL'
const METHODS = [
  ...REGISTERED.split(' '),
  ...['PURGE', 'NOTIFY', 'SUBSCRIBE', 'UNSUBSCRIBE', 'M-SEARCH'],
]

const NAMES = Object.keys(Spoken)

/** Followed in the buffer by bytes of before, which must not be looked at. */
const STALE = [' HTTP/1.1\r\n', '/ HTTP/1.1\r\n', '\x03\n', PREFACE.slice(1)]

/** The verdict's name, the same with and without stale bytes behind the last one. */
function spoken(text: string): string {
  const bytes = Buffer.from(text, 'latin1')
  const verdict = detect(bytes, bytes.length)
  for (const stale of STALE) {
    const longer = Buffer.concat([bytes, Buffer.from(stale, 'latin1')])
    if (detect(longer, bytes.length) !== verdict) throw new Error(`looks beyond ${text}`)
  }
  return NAMES[verdict] ?? String(verdict)
}

/** The verdicts on every prefix, in short: each with the length it begins at. */
function course(text: string): [from: number, verdict: string][] {
  const turns: [number, string][] = []
  for (let end = 0; end <= text.length; end++) {
    const verdict = spoken(text.slice(0, end))
    if (verdict !== turns.at(-1)?.[1]) turns.push([end, verdict])
  }
  return turns
}

/** `text` is undecided up to some point and `verdict` from there on. */
function becomes(t: Test, text: string, verdict: string): void {
  const turns = course(text).map(([, name]) => name)
  t.same(turns, ['undecided', verdict], JSON.stringify(text))
}

t.test('detection: every method that is registered, to every kind of target', async (t) => {
  for (const method of METHODS) {
    t.same(course(`${method} /a HTTP/1.1\r\nHost: a\r\n\r\n`), [
      [0, 'undecided'],
      [method.length + 2, 'http1'],
    ])
    becomes(t, `${method} * HTTP/1.1\r\n`, 'http1')
    becomes(t, `${method} http://a/ HTTP/1.1\r\n`, 'http1')
    becomes(t, `${method} HTTPS://a/ HTTP/1.0\r\n`, 'http1')
  }
  const unknown = NODE_METHODS.filter((method) => !METHODS.includes(method))
  t.same(unknown, ['SOURCE'], 'Node.js knows no more but one that is in no registry')
})

t.test('detection: CONNECT to every kind of authority', async (t) => {
  for (const authority of ['a:1', 'a.example:443', '198.18.0.1:80', '[fd00::1]:8080', 'a_b~c:1']) {
    t.same(course(`CONNECT ${authority} HTTP/1.1\r\nHost: a\r\n\r\n`), [
      [0, 'undecided'],
      [`CONNECT ${authority} HTTP/`.length, 'http1'],
    ])
  }
  for (let byte = 0; byte < 256; byte++) {
    if (((CLASS[byte] ?? 0) & HOST) === 0) continue
    t.equal(spoken(`CONNECT a${String.fromCharCode(byte)}`), 'undecided', String(byte))
  }
})

t.test('detection: a request that the codec takes is never opaque, and stays HTTP', async (t) => {
  const dice = new Dice(seededRandom(7))
  let sound = 0
  for (let turn = 0; turn < 4000; turn++) {
    const text = dice.once(3) ? spoilt(dice, request(dice)) : request(dice)
    const { messages, refusal } = readRequests([Buffer.from(text, 'latin1')])
    const known = METHODS.some((method) => text.startsWith(`${method} `))
    if (refusal !== undefined || messages.length === 0 || !known) continue
    sound++
    const turns = course(text).map(([, name]) => name)
    if (turns.join() !== 'undecided,http1') t.fail(`${turns.join()}: ${JSON.stringify(text)}`)
  }
  t.ok(sound > 2000, `${sound} were sound`)
})

function request(dice: Dice): string {
  const method = dice.pick(METHODS)
  const host = dice.pick(['a', 'a.example', 'xn--a', '198.18.0.1', '[fd00::1]', 'http', 'h', 'H-1'])
  const authority = `${host}:${1 + dice.below(65_535)}`
  const path = dice.pick(['/', '/a', '/a?b=c', '//', '/%20', '/*', '/http://a', '/HTTP/1.1'])
  const other = dice.pick(['http', 'HTTP', 'Http', 'https', 'hTTPs'])
  const target = dice.pick([path, `${other}://${authority}${path}`])
  const rest = `HTTP/1.${dice.below(2)}\r\nHost: ${authority}\r\n\r\n`
  if (method === 'CONNECT') return `CONNECT ${authority} ${rest}`
  return `${method} ${method === 'OPTIONS' && dice.once(3) ? '*' : target} ${rest}`
}

function spoilt(dice: Dice, text: string): string {
  const at = dice.below(text.indexOf('\r'))
  const instead = dice.pick([
    '',
    ' ',
    '/',
    'x',
    ':',
    '\0',
    '\t',
    String.fromCharCode(dice.below(256)),
  ])
  return text.slice(0, at) + instead + text.slice(at + dice.below(2))
}

t.test('detection: the preface of HTTP/2, however it is cut', async (t) => {
  t.same(course(`${PREFACE}${'\0'.repeat(9)}`), [
    [0, 'undecided'],
    [PREFACE.length, 'http2'],
  ])
  for (let at = 0; at < PREFACE.length; at++) {
    const wrong = `${PREFACE.slice(0, at)}x${PREFACE.slice(at + 1)}`
    t.not(spoken(wrong), 'http2', JSON.stringify(wrong))
    t.not(spoken(wrong), 'undecided', JSON.stringify(wrong))
  }
  t.equal(spoken('PRI * HTTP/1.1\r\n'), 'http1', 'it begins as a request does')
  t.equal(spoken('PRI * HTTP/2.0\r\n\r\nGET'), 'http1')
  t.equal(spoken('PRIVMSG #a :hello\r\n'), 'opaque')
  t.equal(spoken(`\r\n${PREFACE}`), 'http1', 'nothing may stand before it')
})

t.test('detection: TLS by its first byte, unless the second one says otherwise', async (t) => {
  for (const minor of [0, 1, 3]) {
    t.same(course(`\x16\x03${String.fromCharCode(minor)}\x02\x00\x01\x00\x01\xfc\x03\x03`), [
      [0, 'undecided'],
      [1, 'tls'],
    ])
  }
  t.equal(spoken('\x16\x02'), 'opaque')
  t.equal(spoken('\x15\x03\x01'), 'opaque', 'an alert opens no connection')
})

t.test('detection: what is not HTTP waits for nothing', async (t) => {
  for (const [protocol, bytes, told] of FIRST_BYTES) {
    const expected = [
      [0, 'undecided'],
      [told, 'opaque'],
    ]
    t.same(course(bytes), expected, protocol)
  }
})

t.test('detection: a line that was meant as a request goes to the codec', async (t) => {
  const end = '\r\nHost: a\r\n\r\n'
  for (const line of [
    ...['FOO /x HTTP/1.1', 'get / HTTP/1.1', 'Get / http/1.1', 'FOO http://a/ HTTP/1.1'],
    ...['GET\t/ HTTP/1.1', 'GET\t/\tHTTP/1.1', 'GET\x0b/\x0cHTTP/1.1', 'GET\r/\rHTTP/1.1'],
    ...['G(ET / HTTP/1.1', 'GE\0T / HTTP/1.1', 'G\xcaT / HTTP/1.1', 'GET: / HTTP/1.1'],
    ...[' GET / HTTP/1.1', '\t GET / HTTP/1.1', ' / HTTP/1.1', '/ HTTP/1.1', 'FOO / HTTP/1.1 \t'],
    ...['GET a HTTP/1.1', 'GET ftp://a/ HTTP/1.1', 'GET  / HTTP/1.1', 'GET HTTP/1.1'],
    ...[
      'GET a b c HTTP/1.1',
      'GET "a" HTTP/1.1',
      'CONNECT {a} HTTP/1.1',
      'CONNECT http:/a HTTP/1.1',
    ],
    ...[
      'OPTIONS *a HTTP/1.1',
      'OPTIONS * http/1.1',
      'foo / HTTP/1',
      'foo / HTTP/0.9',
      'foo / HTTP/2',
    ],
    ...['foo / HTTP/1,1', 'foo / HTTP/01.10', `FOO /${'x'.repeat(8000)} HTTP/1.1`],
  ]) {
    t.equal(spoken(`${line}${end}`), 'http1', JSON.stringify(line))
    t.equal(spoken(`${line}\n`), 'http1', `${JSON.stringify(line)} and a bare LF`)
  }
  for (const line of [
    ...['FOO /x HTTP', 'FOO /x HTTP/', 'FOO /x HTTP/x.1', 'FOO /x XHTTP/1.1', 'FOO /xHTTP/1.1'],
    ...['HTTP/1.1', ' HTTP/1.1', 'FOO HTTP/1.1', 'FOO HTTP/1.1 x', 'FOO / x HTTP/1.1', ''],
    ...[`FOO /${'x'.repeat(9000)} HTTP/1.1`, 'OPTIONS *', 'GET a b c', 'CONNECT a.example:443'],
  ]) {
    t.equal(spoken(`${line}${end}`), 'opaque', JSON.stringify(line))
  }
  t.equal(spoken('FOO /x HTTP/1.1'), 'opaque', 'a line must be there whole')
})

t.test('detection: after a known method and a slash all is for the codec', async (t) => {
  for (const rest of ['\r\n', '\n', ' ', 'a\0b', 'a b c', ' HTTP/1.1 ', '\xff', ' ICAP/1.0\r\n']) {
    becomes(t, `GET /${rest}`, 'http1')
  }
})

t.test('detection: empty lines before a request, but not alone', async (t) => {
  for (const empty of ['\r', '\n', '\r\n', '\n\n', '\r\n\r\n']) {
    t.equal(spoken(empty), 'opaque')
    t.equal(spoken(`${empty}GE`), 'undecided')
    t.equal(spoken(`${empty}GET / HTTP/1.1\r\n`), 'http1')
    t.equal(spoken(`${empty}foo / HTTP/1.1\r\n`), 'http1')
    t.equal(spoken(`${empty}HELP\r\n`), 'opaque')
  }
  t.equal(spoken('\r\n\r\n\r\nGET / HTTP/1.1\r\n'), 'opaque')
})

t.test('detection: what the codec refuses for its first line gets there', async (t) => {
  const elsewhere: Readonly<Record<string, string>> = {
    'a TLS client hello': 'tls',
    'the HTTP/2 preface': 'http2',
    'a method alone': 'opaque',
    'a method that never ends': 'opaque',
  }
  for (const [name, bytes] of REQUEST_LINES) {
    t.equal(spoken(bytes), elsewhere[name] ?? 'http1', name)
  }
})

t.test('detection: nothing is undecided for long', async (t) => {
  const dice = new Dice(seededRandom(11))
  const pieces = [
    'GET ',
    'CONNECT ',
    'a',
    'http://',
    '* HTTP',
    ' HTTP',
    'x:1',
    '\r\n',
    'P',
    'PRI *',
  ]
  for (let turn = 0; turn < 3000; turn++) {
    let text = dice.pick(pieces)
    const make = dice.once(2) ? dice.pick(pieces) : undefined
    while (text.length < MOST_UNDECIDED)
      text += make ?? (dice.once(2) ? dice.pick(pieces) : String.fromCharCode(dice.below(256)))
    const verdict = spoken(text.slice(0, MOST_UNDECIDED))
    if (verdict === 'undecided') t.fail(JSON.stringify(text))
  }
  const name = `CONNECT ${'a'.repeat(MOST_UNDECIDED)}`
  t.equal(spoken(name.slice(0, MOST_UNDECIDED - 1)), 'undecided')
  t.equal(spoken(name.slice(0, MOST_UNDECIDED)), 'opaque')
  t.equal(spoken(`${name} HTTP/`), 'opaque', 'cut or not')
  const longest = `CONNECT ${'a'.repeat(253)}:65535 HTTP/1.1\r\n`
  becomes(t, longest, 'http1')
})
