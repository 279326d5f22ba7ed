// Header lists that are refused, and why: one row for each rule.

import t from 'tap'
import { Asked } from '../../../../../src/proxy/http/h1/response-rules.ts'
import { build, type Circumstances, GET, type List, list, OK, type What } from './header-lists.ts'

type Row = readonly [reason: string, fields: List, given?: Circumstances]

const asRequest = (method: string, path = '/', authority = 'a'): List =>
  list(`:method: ${method}`, ':scheme: http', `:authority: ${authority}`, `:path: ${path}`)
const withPath = (path: string): List => asRequest('GET', path)
const withAuthority = (authority: string): List => asRequest('GET', '/', authority)
const also = (...lines: readonly string[]): List => [...GET, ...list(...lines)]
const GOES_ON = { isEnd: false }

const REQUESTS: Readonly<Record<string, Row>> = {
  'RFC 9113 8.3.1: no method': ['pseudo-missing', GET.slice(1)],
  'RFC 9113 8.3.1: no scheme': ['pseudo-missing', [...GET.slice(0, 1), ...GET.slice(2)]],
  'RFC 9113 8.3.1: no path': ['pseudo-missing', GET.slice(0, 3)],
  'RFC 9113 8.3.1: nothing at all': ['pseudo-missing', []],
  'RFC 9113 8.3.1: only regular fields': ['pseudo-missing', list('x: y')],
  'RFC 9113 8.3.1: two methods': ['pseudo-repeated', [...GET, ...GET.slice(0, 1)]],
  'RFC 9113 8.3.1: two schemes': ['pseudo-repeated', [...GET, ...GET.slice(1, 2)]],
  'RFC 9113 8.3.1: two authorities': ['pseudo-repeated', [...GET, ...GET.slice(2, 3)]],
  'RFC 9113 8.3.1: two paths': ['pseudo-repeated', [...GET, ...GET.slice(3)]],
  'RFC 9113 8.3: a status': ['pseudo-forbidden', [...GET, ...OK]],
  'RFC 9113 8.3: one that is not defined': ['pseudo-unknown', also(':protocol: websocket')],
  'RFC 9113 8.3: with no name': ['pseudo-unknown', also(':: x')],
  'RFC 9113 8.3: behind a regular field': ['pseudo-after-field', also('x: y', ':path: /')],
  'RFC 9113 8.3.1: a scheme of other things': [
    'scheme-invalid',
    list(':method: GET', ':scheme: ftp', ':authority: a', ':path: /'),
  ],
  'RFC 9110 4.2.3: a scheme in capitals': [
    'scheme-invalid',
    list(':method: GET', ':scheme: HTTP', ':authority: a', ':path: /'),
  ],
  'RFC 9113 8.3.1: an empty scheme': [
    'scheme-invalid',
    list(':method: GET', ':scheme: ', ':authority: a', ':path: /'),
  ],
  'RFC 9110 9.1: an empty method': ['method-invalid', asRequest('')],
  'RFC 9110 9.1: a method that is no token': ['method-invalid', asRequest('GE T')],
  'RFC 9110 9.1: a method with a whole request in it': [
    'method-invalid',
    asRequest('GET /admin HTTP/1.1'),
  ],
  'RFC 9110 9.1: a method of 33 characters': ['method-too-long', asRequest('M'.repeat(33))],
  'RFC 9113 8.3.1: an empty path': ['target-invalid', withPath('')],
  'RFC 9113 8.3.1: a path that does not begin with a slash': ['target-form', withPath('a')],
  'RFC 9113 8.3.1: a query only': ['target-form', withPath('?a')],
  'RFC 9113 8.3.1: a whole URI for a path': ['target-form', withPath('http://a/')],
  'RFC 9113 8.3.1: the asterisk but for OPTIONS': ['target-form', withPath('*')],
  'RFC 9113 8.3.1: more than the asterisk': ['target-form', asRequest('OPTIONS', '*/')],
  'RFC 9113 8.2.1: a space in the path': ['target-invalid', withPath('/ HTTP/1.1')],
  'RFC 9113 8.2.1: a line break in the path': ['value-invalid', withPath('/ HTTP/1.1\r\nx: y')],
  'RFC 9113 8.2.1: NUL in the path': ['value-invalid', withPath('/\0')],
  'RFC 3986 3.5: a fragment': ['target-invalid', withPath('/#a')],
  'RFC 3986 2: what is not ASCII': ['target-invalid', withPath('/\xe9')],
  'RFC 3986 2: a backslash': ['target-invalid', withPath('/a\\b')],
  'RFC 3986 2.1: a percent sign with one digit': ['target-invalid', withPath('/%2')],
  'RFC 3986 2.1: a percent sign with no digits': ['target-invalid', withPath('/%zz?%20')],
  'RFC 9113 8.3.1: neither authority nor Host': [
    'host-missing',
    list(':method: GET', ':scheme: http', ':path: /', 'x: y'),
  ],
  'RFC 9110 4.2.1: an empty authority': ['host-invalid', withAuthority('')],
  'RFC 9113 8.3.1: user information': ['host-invalid', withAuthority('u@a')],
  'RFC 9113 8.3.1: user and password': ['host-invalid', withAuthority('u:p@a')],
  'RFC 9110 7.2: two hosts in one': ['host-invalid', withAuthority('a,b')],
  'RFC 9110 7.2: a path in the authority': ['host-invalid', withAuthority('a/b')],
  'RFC 3986 3.2.3: a port that is none': ['host-invalid', withAuthority('a:65536')],
  'RFC 3986 3.2.3: an empty port': ['host-invalid', withAuthority('a:')],
  'RFC 3986 3.2.2: what is no IPv6 address': ['host-invalid', withAuthority('[::1')],
  'RFC 9113 8.3.1: Host says something else': ['host-mismatch', also('host: b')],
  'RFC 9113 8.3.1: Host names another port': ['host-mismatch', also('host: a:81')],
  'RFC 9113 8.3.1: Host names the port of the other scheme': ['host-mismatch', also('host: a:443')],
  'RFC 9113 8.3.1: an empty Host beside the authority': ['host-mismatch', also('host: ')],
  'RFC 9113 8.3.1: Host twice beside the authority': ['host-repeated', also('host: a', 'host: a')],
  'RFC 9112 3.2: Host twice in the place of the authority': [
    'host-repeated',
    list(':method: GET', ':scheme: http', ':path: /', 'host: a', 'host: a'),
  ],
  'RFC 9112 3.2: a Host that is none in the place of the authority': [
    'host-invalid',
    list(':method: GET', ':scheme: http', ':path: /', 'host: a b'),
  ],
  'RFC 9113 8.5: CONNECT without authority': [
    'pseudo-missing',
    list(':method: CONNECT', 'host: a:1'),
  ],
  'RFC 9113 8.5: CONNECT with a scheme': [
    'pseudo-forbidden',
    list(':method: CONNECT', ':scheme: http', ':authority: a:1'),
  ],
  'RFC 9113 8.5: CONNECT with a path': [
    'pseudo-forbidden',
    list(':method: CONNECT', ':authority: a:1', ':path: /'),
  ],
  'RFC 9110 9.3.6: CONNECT without a port': [
    'target-form',
    list(':method: CONNECT', ':authority: a'),
  ],
  'RFC 9110 9.3.6: CONNECT with user information': [
    'target-form',
    list(':method: CONNECT', ':authority: u@a:1'),
  ],
  'RFC 9113 8.3.1: CONNECT with another Host': [
    'host-mismatch',
    list(':method: CONNECT', ':authority: a:1', 'host: a:2'),
  ],
  'RFC 9113 8.3.1: CONNECT with a Host that has no port': [
    'host-mismatch',
    list(':method: CONNECT', ':authority: a:80', 'host: a'),
  ],
  'RFC 9110 9.3.6: CONNECT with a length': [
    'body-forbidden',
    list(':method: CONNECT', ':authority: a:1', 'content-length: 3'),
    GOES_ON,
  ],
  'RFC 9110 9.3.8: TRACE with a body': ['body-forbidden', asRequest('TRACE'), GOES_ON],
  'RFC 9110 9.3.8: TRACE with a length': [
    'body-forbidden',
    [...asRequest('TRACE'), ...list('content-length: 3')],
    GOES_ON,
  ],
  'RFC 9113 8.1.1: a length, and the end': ['length-mismatch', also('content-length: 3')],
  'RFC 9110 8.6: a length that is no number': [
    'length-invalid',
    also('content-length: +3'),
    GOES_ON,
  ],
  'RFC 9110 8.6: an empty length': ['length-invalid', also('content-length: '), GOES_ON],
  'RFC 9110 8.6: a list of lengths': ['length-invalid', also('content-length: 3, 3'), GOES_ON],
  'RFC 9110 8.6: more than can be counted': [
    'length-invalid',
    also('content-length: 9007199254740992'),
    GOES_ON,
  ],
  'RFC 9110 8.6: two lengths, if they agree or not': [
    'length-repeated',
    also('content-length: 3', 'content-length: 3'),
    GOES_ON,
  ],
  'RFC 9113 8.2.2: Transfer-Encoding': ['connection-field', also('transfer-encoding: chunked')],
  'RFC 9113 8.2.2: Connection': ['connection-field', also('connection: close')],
  'RFC 9113 8.2.2: Keep-Alive': ['connection-field', also('keep-alive: timeout=5')],
  'RFC 9113 8.2.2: Proxy-Connection': ['connection-field', also('proxy-connection: close')],
  'RFC 9113 8.2.2: Upgrade': ['connection-field', also('upgrade: h2c')],
  'RFC 9113 8.2.2: TE with another value': ['te-invalid', also('te: gzip')],
  'RFC 9113 8.2.2: TE with another value too': ['te-invalid', also('te: trailers, gzip')],
  'RFC 9110 10.1.1: an expectation that nobody knows': ['expect-unknown', also('expect: more')],
  'RFC 9110 10.1.1: expecting twice': [
    'expect-unknown',
    also('expect: 100-continue', 'expect: 100-continue'),
  ],
  'RFC 9110 7.6.2: Max-Forwards that is no number': [
    'max-forwards-invalid',
    [...asRequest('OPTIONS'), ...list('max-forwards: many')],
  ],
  'RFC 9110 7.6.2: Max-Forwards twice': [
    'max-forwards-invalid',
    [...asRequest('TRACE'), ...list('max-forwards: 1', 'max-forwards: 1')],
  ],
  'RFC 9113 8.2.1: a name in capitals': ['name-uppercase', also('X: y')],
  'RFC 9113 8.2.1: a colon in a name': ['name-invalid', [...GET, ['x:', 'y']]],
  'RFC 9113 8.2.1: an empty name': ['name-empty', [...GET, ['', 'y']]],
  'RFC 9113 8.2.1: a line break in a name': ['name-invalid', [...GET, ['x\r\ny', 'z']]],
  'RFC 9113 8.2.1: a line break in a value': ['value-invalid', [...GET, ['x', 'y\r\nz: a']]],
  'RFC 9113 8.2.1: a line feed in a value': ['value-invalid', [...GET, ['x', 'y\nz: a']]],
  'RFC 9113 8.2.1: NUL in a value': ['value-invalid', [...GET, ['x', 'y\0']]],
  'RFC 9113 8.2.1: space before a value': ['value-padded', [...GET, ['x', ' y']]],
  'RFC 9113 8.2.1: space after a value': ['value-padded', [...GET, ['x', 'y\t']]],
  'RFC 9112 6.3: what other software takes for a length': [
    'name-lookalike',
    also('content_length: 3'),
  ],
}

const RESPONSES: Readonly<Record<string, Row>> = {
  'RFC 9113 8.3.2: no status': ['pseudo-missing', list('x: y')],
  'RFC 9113 8.3.2: nothing at all': ['pseudo-missing', []],
  'RFC 9113 8.3.2: two': ['pseudo-repeated', [...OK, ...OK]],
  'RFC 9113 8.3: a method': ['pseudo-forbidden', [...OK, ...list(':method: GET')]],
  'RFC 9113 8.3: a path': ['pseudo-forbidden', list(':path: /')],
  'RFC 9113 8.3: a status behind a regular field': [
    'pseudo-after-field',
    [...OK, ...list('x: y', ':status: 200')],
  ],
  'RFC 9110 15: an empty status': ['status-invalid', list(':status: ')],
  'RFC 9110 15: two digits': ['status-invalid', list(':status: 20')],
  'RFC 9110 15: four digits': ['status-invalid', list(':status: 2000')],
  'RFC 9110 15: below 100': ['status-invalid', list(':status: 099')],
  'RFC 9110 15: no digits': ['status-invalid', list(':status: 2x0')],
  'RFC 9113 8.6: 101': [
    'switch-unasked',
    list(':status: 101'),
    { ...GOES_ON, asked: Asked.upgrade },
  ],
  'RFC 9113 8.1: an interim response at the end': ['head-truncated', list(':status: 100')],
  'RFC 9110 8.6: an interim response with a length': [
    'body-forbidden',
    list(':status: 103', 'content-length: 3'),
    GOES_ON,
  ],
  'RFC 9110 8.6: a 204 with a length': [
    'body-forbidden',
    list(':status: 204', 'content-length: 3'),
    GOES_ON,
  ],
  'RFC 9110 8.6: a tunnel with a length': [
    'body-forbidden',
    [...OK, ...list('content-length: 3')],
    { ...GOES_ON, asked: Asked.connect },
  ],
  'RFC 9113 8.1.1: a length, and the end': [
    'length-mismatch',
    [...OK, ...list('content-length: 3')],
  ],
  'RFC 9110 8.6: two lengths': [
    'length-repeated',
    [...OK, ...list('content-length: 3', 'content-length: 3')],
    GOES_ON,
  ],
  'RFC 9113 8.2.2: Connection': ['connection-field', [...OK, ...list('connection: close')]],
  'RFC 9113 8.2.2: TE is for requests': ['connection-field', [...OK, ...list('te: trailers')]],
}

const TRAILERS: Readonly<Record<string, Row>> = {
  'RFC 9113 8.1: a method': ['pseudo-in-trailers', list(':method: GET')],
  'RFC 9113 8.1: a status': ['pseudo-in-trailers', list('x: y', ':status: 200')],
  'RFC 9113 8.1: which do not end the message': ['head-repeated', list('x: y'), GOES_ON],
  'RFC 9110 6.5.1: what frames a message': ['trailer-forbidden', list('content-length: 3')],
  'RFC 9110 6.5.1: what routes it': ['trailer-forbidden', list('host: a')],
  'RFC 9110 6.5.1: what authenticates': ['trailer-forbidden', list('authorization: a')],
  'RFC 9110 6.5.1: a cookie': ['trailer-forbidden', list('cookie: a')],
  'RFC 9110 6.5.1: what controls caches': ['trailer-forbidden', list('x: y', 'cache-control: a')],
  'RFC 9113 8.2.2: TE': ['trailer-forbidden', list('te: trailers')],
  'RFC 9113 8.2.2: Connection': ['connection-field', list('connection: close')],
  'RFC 9113 8.2.1: a line break in a value': ['value-invalid', [['x', 'y\r\nz: a']]],
}

const TABLES: readonly (readonly [What, Readonly<Record<string, Row>>])[] = [
  ['request', REQUESTS],
  ['response', RESPONSES],
  ['trailers', TRAILERS],
]

for (const [what, rows] of TABLES) {
  t.test(`refused: ${what}`, async (t) => {
    for (const [name, [reason, fields, given]] of Object.entries(rows)) {
      t.equal(build(what, fields, { isEnd: true, ...given }), reason, name)
    }
  })
}

t.test('refused: the first reason counts, whatever follows', async (t) => {
  t.equal(build('request', also('te: gzip', 'X: y', ':path: /')), 'te-invalid')
})
