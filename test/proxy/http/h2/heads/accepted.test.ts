// Heads that are accepted from HTTP/2: what they become, held against what HTTP/1.1 makes of the same text.

import t from 'tap'
import { Field, fieldBits } from '../../../../../src/proxy/http/fields.ts'
import { Asked } from '../../../../../src/proxy/http/h1/response-rules.ts'
import { Framing, Head } from '../../../../../src/proxy/http/head.ts'
import { Method } from '../../../../../src/proxy/http/method.ts'
import {
  built,
  type Circumstances,
  conclusionsOf,
  fieldsOf,
  GET,
  type List,
  list,
  OK,
  readText,
  textOf,
  type What,
} from './header-lists.ts'

interface Accepted extends Circumstances {
  readonly what: What
  readonly fields: List
  readonly text: string
  readonly framing?: number
}

const CONNECT = list(':method: CONNECT', ':authority: a:443')

const ACCEPTED: Readonly<Record<string, Accepted>> = {
  'RFC 9113 8.3.1: the pseudo-header fields make the first line and Host': {
    what: 'request',
    fields: list(':method: GET', ':scheme: http', ':authority: a.b:80', ':path: /c?d=%', 'x: y'),
    text: 'GET /c?d=% HTTP/1.1\r\nhost: a.b:80\r\nx: y\r\n\r\n',
  },
  'RFC 9113 8.3: in any order': {
    what: 'request',
    fields: list(':path: /c', ':authority: [::1]', ':scheme: https', ':method: PROPFIND', 'x: y'),
    text: 'PROPFIND /c HTTP/1.1\r\nhost: [::1]\r\nx: y\r\n\r\n',
  },
  'RFC 9113 8.3.1: nothing but pseudo-header fields': {
    what: 'request',
    fields: GET,
    text: 'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
  },
  'RFC 9113 8.3.1: Host in the place of :authority': {
    what: 'request',
    fields: list(':method: GET', ':scheme: http', ':path: /', 'x: y', 'host: a', 'z: '),
    text: 'GET / HTTP/1.1\r\nx: y\r\nhost: a\r\nz: \r\n\r\n',
  },
  'RFC 9113 8.3.1: Host beside :authority, saying the same': {
    what: 'request',
    fields: [...GET, ...list('x: y', 'host: a', 'z: z')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\nx: y\r\nz: z\r\n\r\n',
  },
  'RFC 9110 4.2.3: the same in capitals and with the default port of http': {
    what: 'request',
    fields: [...GET, ...list('host: A:80')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
  },
  'RFC 9110 4.2.3: and of https': {
    what: 'request',
    fields: list(':method: GET', ':scheme: https', ':authority: a:443', ':path: /', 'host: A'),
    text: 'GET / HTTP/1.1\r\nhost: a:443\r\n\r\n',
  },
  'RFC 9113 8.3.1: OPTIONS of the server itself': {
    what: 'request',
    fields: list(
      ':method: OPTIONS',
      ':scheme: http',
      ':authority: a',
      ':path: *',
      'max-forwards: 0',
    ),
    text: 'OPTIONS * HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\n\r\n',
  },
  'RFC 9110 9.1: a method of 32 characters': {
    what: 'request',
    fields: list(`:method: ${'M'.repeat(32)}`, ':scheme: http', ':authority: a', ':path: /'),
    text: `${'M'.repeat(32)} / HTTP/1.1\r\nhost: a\r\n\r\n`,
  },
  'RFC 9113 8.5: CONNECT has an authority only; what follows is no body': {
    what: 'request',
    fields: CONNECT,
    text: 'CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n',
    framing: Framing.none,
  },
  'RFC 9113 8.5: CONNECT with a Host that says the same': {
    what: 'request',
    fields: [...CONNECT, ...list('host: A:443', 'content-length: 0')],
    text: 'CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\ncontent-length: 0\r\n\r\n',
    framing: Framing.none,
  },
  'RFC 9113 8.1: the stream says where a body ends': {
    what: 'request',
    fields: GET,
    text: 'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
    framing: Framing.stream,
    isEnd: false,
  },
  'RFC 9113 8.1.1: a length': {
    what: 'request',
    fields: [...GET, ...list('content-length: 12')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n',
    framing: Framing.length,
    isEnd: false,
  },
  'RFC 9113 8.1.1: a length of nothing, and the end': {
    what: 'request',
    fields: [...GET, ...list('content-length: 0')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n',
  },
  'RFC 9113 8.1.1: a length of nothing before the end, as with trailers': {
    what: 'request',
    fields: [...GET, ...list('content-length: 0')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n',
    framing: Framing.none,
    isEnd: false,
  },
  'RFC 9113 8.2.2: trailers are welcome': {
    what: 'request',
    fields: [...GET, ...list('te: trailers', 'x: y')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nx: y\r\n\r\n',
  },
  'RFC 9113 8.2.3: a cookie': {
    what: 'request',
    fields: [...GET, ...list('cookie: a=b; c=d', 'x: y')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\nx: y\r\ncookie: a=b; c=d\r\n\r\n',
  },
  'RFC 9113 8.2.3: the crumbs of a cookie, wherever they stand': {
    what: 'request',
    fields: [...GET, ...list('cookie: a=b', 'cookie: c=d', 'x: y', 'cookie: e; f')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\nx: y\r\ncookie: a=b; c=d; e; f\r\n\r\n',
  },
  'RFC 9113 8.2.3: empty crumbs say nothing': {
    what: 'request',
    fields: [...GET, ...list('cookie: ', 'cookie: a=b', 'cookie: ', 'cookie: c=d', 'cookie: ')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\ncookie: a=b; c=d\r\n\r\n',
  },
  'RFC 9113 8.2.3: an empty cookie stays one': {
    what: 'request',
    fields: [...GET, ...list('cookie: ')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\ncookie: \r\n\r\n',
  },
  'RFC 9110 5.2: fields may come more than once': {
    what: 'request',
    fields: [...GET, ...list('x: y', 'via: 2 b', 'x: z', 'via: 2 c')],
    text: 'GET / HTTP/1.1\r\nhost: a\r\nx: y\r\nvia: 2 b\r\nx: z\r\nvia: 2 c\r\n\r\n',
  },
  'RFC 9110 15: a status': {
    what: 'response',
    fields: [...OK, ...list('x: y')],
    text: 'HTTP/1.1 200 \r\nx: y\r\n\r\n',
  },
  'RFC 9110 15: one that nobody knows': {
    what: 'response',
    fields: list(':status: 999'),
    text: 'HTTP/1.1 999 \r\n\r\n',
  },
  'RFC 9110 15.2: an interim response': {
    what: 'response',
    fields: list(':status: 103', 'link: </a>'),
    text: 'HTTP/1.1 103 \r\nlink: </a>\r\n\r\n',
    framing: Framing.none,
    isEnd: false,
  },
  'RFC 9113 8.1: a response whose end the stream says': {
    what: 'response',
    fields: OK,
    text: 'HTTP/1.1 200 \r\n\r\n',
    framing: Framing.stream,
    isEnd: false,
  },
  'RFC 9110 8.6: a response to HEAD may speak of a body': {
    what: 'response',
    fields: [...OK, ...list('content-length: 9')],
    text: 'HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\n',
    asked: Asked.head,
  },
  'RFC 9110 8.6: and so may one before the end': {
    what: 'response',
    fields: [...OK, ...list('content-length: 9')],
    text: 'HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\n',
    asked: Asked.head,
    framing: Framing.none,
    isEnd: false,
  },
  'RFC 9110 15.4.5: and a 304': {
    what: 'response',
    fields: list(':status: 304', 'content-length: 9'),
    text: 'HTTP/1.1 304 \r\ncontent-length: 9\r\n\r\n',
  },
  'RFC 9110 15.3.5: a 204 has no body': {
    what: 'response',
    fields: list(':status: 204'),
    text: 'HTTP/1.1 204 \r\n\r\n',
    framing: Framing.none,
    isEnd: false,
  },
  'RFC 9113 8.5: a 2xx to CONNECT is a tunnel': {
    what: 'response',
    fields: OK,
    text: 'HTTP/1.1 200 \r\n\r\n',
    asked: Asked.connect,
    framing: Framing.tunnel,
    isEnd: false,
  },
  'RFC 9113 8.5: another answer to CONNECT is not': {
    what: 'response',
    fields: list(':status: 403', 'content-length: 3'),
    text: 'HTTP/1.1 403 \r\ncontent-length: 3\r\n\r\n',
    asked: Asked.connect,
    framing: Framing.length,
    isEnd: false,
  },
  'RFC 9113 8.1: trailers': {
    what: 'trailers',
    fields: list('grpc-status: 0', 'grpc-message: ', 'x: y'),
    text: 'grpc-status: 0\r\ngrpc-message: \r\nx: y\r\n\r\n',
  },
  'RFC 9113 8.1: trailers with nothing in them': { what: 'trailers', fields: [], text: '\r\n' },
}

for (const [name, row] of Object.entries(ACCEPTED)) {
  t.test(`accepted: ${name}`, async (t) => {
    const { what, fields, text, framing = Framing.none, asked = 0 } = row
    const head = built(what, fields, { isEnd: true, ...row })
    t.equal(textOf(head), text)
    t.equal(head.framing, framing)
    t.equal(head.isStable, true)
    t.equal(head.persistent, true)
    if (what === 'trailers') {
      t.same(fieldsOf(head), fields)
      return
    }
    const other = readText(what, text, asked)
    if (typeof other === 'string') throw new Error(other)
    t.same(conclusionsOf(head), conclusionsOf(other))
    const length = head.has(fieldBits(Field.contentLength)) ? other.contentLength : NaN
    t.ok(Object.is(head.contentLength, length), 'a length if there is one')
  })
}

t.test('accepted: an expectation counts while there is a body to come', async (t) => {
  const fields = [...GET, ...list('expect: 100-Continue')]
  t.equal(built('request', fields, { isEnd: false }).expectsContinue, true)
  t.equal(built('request', fields, { isEnd: true }).expectsContinue, false)
  const long = [...fields, ...list('content-length: 3')]
  t.equal(built('request', long, { isEnd: false }).expectsContinue, true)
})

t.test('accepted: what there is beside the text', async (t) => {
  const head = built('request', [...GET, ...list('x-request-id: 1', 'x-request-id: 2')])
  t.equal(head.method, Method.get)
  t.equal(head.authority, 'a')
  t.equal(head.target, '/')
  t.equal(head.find('x-request-id', 2), 2)
  t.same(built('response', list(':status: 418')).status, 418)
})

t.test('accepted: one head serves many messages, and keeps nothing of the last', async (t) => {
  const head = new Head()
  const rich = [...GET.slice(0, 3), ...list(':path: /%20', 'te: trailers', 'expect: 100-continue')]
  rich.push(...list('cookie: a', 'cookie: b', 'host: a', 'via: a', 'via: b', 'content-length: 70'))
  const rounds: [What, List, Circumstances][] = [
    ['request', rich, { isEnd: false }],
    ['request', GET, { isEnd: true }],
    ['request', CONNECT, {}],
    ['request', [...GET, ...list(`x: ${'y'.repeat(3000)}`)], {}],
    ['request', GET.slice(0, 2), {}],
    ['request', GET, { isEnd: false }],
    ['response', [...OK, ...list('content-length: 3')], {}],
    ['response', OK, { asked: Asked.connect }],
    ['response', OK, {}],
    ['trailers', list('x: y'), {}],
    ['request', list(':method: OPTIONS', ':scheme: http', ':path: *', 'host: b'), {}],
    ['request', rich, { isEnd: false }],
  ]
  for (const [what, fields, given] of rounds) {
    const isRefused = fields.length === 2 && what === 'request' && fields !== CONNECT
    if (isRefused) {
      t.throws(() => built(what, fields, { ...given, head }))
      continue
    }
    built(what, fields, { ...given, head })
    const fresh = built(what, fields, given)
    t.equal(textOf(head), textOf(fresh))
    t.same(conclusionsOf(head), conclusionsOf(fresh))
    for (const key of ['framing', 'contentLength', 'expectsContinue', 'persistent'] as const) {
      t.ok(Object.is(head[key], fresh[key]), key)
    }
  }
})
