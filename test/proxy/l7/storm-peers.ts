// The two ends of the storm over all policies: requests that name themselves, an application that says whom it
// answers, if it answers, and a look at whether those belong together.

import type { Random } from '../../../src/lib/random.ts'
import type { BackendConnection, Script } from '../../support/http-peer.ts'

const TOKEN = /\r\nX-Token: (\S+)\r\n/i
const PATTERN = 'abcdefghijklmnopqrstuvwxyz0123456789-'

/** What the body of that token is; its place in a text can be told from any part of it. */
export function bodyOf(token: string, length: number): string {
  const line = `${token}.${PATTERN}`
  return line.repeat(Math.ceil(length / line.length)).slice(0, length)
}

function oneOf<T>(random: Random, all: readonly T[]): T {
  return all[Math.floor(random() * all.length)] as T
}

/** A request of a client. */
export class Asked {
  readonly token: string
  readonly method: string
  readonly text: string
  /** The policy lets it be sent again. */
  readonly mayRepeat: boolean

  constructor(random: Random, number: number) {
    this.method = oneOf(random, ['GET', 'GET', 'GET', 'HEAD', 'PUT', 'PUT', 'POST', 'PATCH'])
    this.mayRepeat = this.method !== 'POST' && this.method !== 'PATCH'
    const hasBody = !this.mayRepeat || this.method === 'PUT'
    const length = hasBody ? oneOf(random, [0, 10, 3000, 20_000, 60_000, 65_536, 90_000]) : 0
    this.token = `${number}-${length}-${Math.floor(random() * 1e9)}`
    const body = bodyOf(this.token, length)
    const isChunked = length > 0 && random() < 0.4
    const fields = [
      `Host: shop`,
      `X-Token: ${this.token}`,
      ...(random() < 0.1 ? ['x-envoy-expected-rq-timeout-ms: 800'] : []),
      ...(random() < 0.1 ? ['x-envoy-attempt-count: 7'] : []),
      ...(length > 0 && random() < 0.2 ? ['Expect: 100-continue'] : []),
      ...(random() < 0.1 ? ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c'] : []),
      ...(isChunked ? ['Transfer-Encoding: chunked'] : []),
      ...(hasBody && !isChunked ? [`Content-Length: ${length}`] : []),
    ]
    const content = isChunked ? chunked(random, body) : body
    this.text = `${this.method} /${number} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${content}`
  }
}

function chunked(random: Random, body: string): string {
  let text = ''
  for (let at = 0; at < body.length; ) {
    const size = Math.min(body.length - at, 1 + Math.floor(random() * 9000))
    text += `${size.toString(16)}${random() < 0.2 ? ';a="b"' : ''}\r\n${body.slice(at, at + size)}\r\n`
    at += size
  }
  return `${text}0\r\n${random() < 0.5 ? 'X-Sum: 1\r\n' : ''}\r\n`
}

/** The content of a whole request, without its chunks. */
function contentOf(request: string): string {
  const at = request.indexOf('\r\n\r\n') + 4
  if (!/\r\nTransfer-Encoding: chunked/i.test(request.slice(0, at))) return request.slice(at)
  let content = ''
  for (let from = at; ; ) {
    const line = request.indexOf('\r\n', from)
    const size = Number.parseInt(request.slice(from, line), 16)
    if (!(size > 0)) return content
    content += request.slice(line + 2, line + 2 + size)
    from = line + 2 + size + 2
  }
}

type Act = (connection: BackendConnection, whom: string, isHead: boolean) => void

const lines = (status: string, whom: string, rest: string): string =>
  `HTTP/1.1 ${status}\r\nX-Token: ${whom}\r\n${rest}\r\n`

function full(status: string, fields = '', size = 0): Act {
  return (connection, whom, isHead) => {
    const body = whom + 'x'.repeat(size)
    const head = lines(status, whom, `${fields}Content-Length: ${body.length}\r\n`)
    connection.write(isHead ? head : head + body)
  }
}

function inChunks(status: string): Act {
  return (connection, whom, isHead) => {
    const head = lines(status, whom, 'Transfer-Encoding: chunked\r\n')
    const body = `${whom.length.toString(16)}\r\n${whom}\r\n0\r\nX-T: y\r\n\r\n`
    connection.write(isHead ? head : head + body)
  }
}

function broken(status: string, ends: boolean): Act {
  return (connection, whom) => {
    connection.write(`${lines(status, whom, 'Content-Length: 500\r\n')}part`)
    setImmediate(() => {
      if (ends) connection.end()
      else connection.reset()
    })
  }
}

function soon(act: Act): Act {
  return (connection, whom, isHead) => {
    setTimeout(() => {
      if (!connection.closed) act(connection, whom, isHead)
    }, 10)
  }
}

const after103 = (act: Act): Act => {
  return (connection, whom, isHead) => {
    connection.write('HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n')
    soon(act)(connection, whom, isHead)
  }
}
const reset: Act = (connection) => {
  connection.reset()
}
const FINE: readonly Act[] = [
  full('200 OK'),
  full('200 OK'),
  full('200 OK', '', 150_000),
  full('404 Gone'),
  inChunks('200 OK'),
  soon(full('200 OK')),
  after103(full('200 OK')),
  full('200 OK', 'Connection: close\r\n'),
  (connection, whom) => {
    connection.write(lines('204 None', whom, ''))
  },
  (connection, whom) => {
    connection.write(lines('304 Same', whom, ''))
  },
  (connection, whom, isHead) => {
    connection.write(lines('200 OK', whom, '') + (isHead ? '' : whom))
    connection.end()
  },
]
const BAD: readonly Act[] = [
  full('503 Busy'),
  full('503 Busy'),
  full('503 Busy', 'Retry-After: 0\r\n'),
  full('503 Busy', 'Retry-After: 1\r\n'),
  full('503 Busy', 'Connection: close\r\n'),
  full('502 Bad', '', 90_000),
  inChunks('503 Busy'),
  soon(full('503 Busy')),
  after103(full('503 Busy')),
  after103(reset),
  broken('503 Busy', true),
  broken('200 OK', false),
  broken('200 OK', true),
  reset,
  (connection) => {
    connection.end()
  },
  (connection, whom) => {
    connection.write(`HTTP/1.1 503 Busy\r\nX-Token : ${whom}\r\n\r\n`)
  },
  (connection, whom) => {
    connection.write(`${lines('200 OK', whom, 'Transfer-Encoding: chunked\r\n')}zz\r\n`)
  },
  (connection, whom, isHead) => {
    full('503 Busy')(connection, whom, isHead)
    connection.write('HTTP/1.1 200 OK\r\nX-Token: nobody\r\nContent-Length: 0\r\n\r\n')
  },
  () => undefined,
]

/** Answers, fails, breaks off, at times before a request is whole. */
export function stormyApplication(random: Random): Script {
  const taken = new WeakMap<BackendConnection, { early: number; asked: number }>()
  const act = (connection: BackendConnection, whom: string, isHead: boolean): void => {
    if (!connection.closed) oneOf(random, random() < 0.5 ? FINE : BAD)(connection, whom, isHead)
  }
  return (connection, text) => {
    const state = taken.get(connection) ?? { early: 0, asked: 0 }
    taken.set(connection, state)
    for (let next = connection.next(); next !== undefined; next = connection.next()) {
      const [, token = 'none'] = TOKEN.exec(next) ?? []
      const [, length = ''] = token.split('-')
      const isRight = contentOf(next) === bodyOf(token, Number(length))
      if (state.early > 0) state.early -= 1
      else act(connection, isRight ? token : `WRONG-${token}`, next.startsWith('HEAD'))
      state.asked = 0
    }
    const rest = text.slice(connection.requests.join('').length)
    if (state.early > 0 || !rest.includes('\r\n\r\n')) return
    const [, token = 'none'] = TOKEN.exec(rest) ?? []
    if (random() < 0.1) {
      state.early = 1
      act(connection, token, false)
    } else if (state.asked === 0 && /\r\nExpect: 100/i.test(rest)) {
      state.asked = 1
      connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    }
  }
}

/**
 * What is wrong with that text as the answers to these, in their order; '' if nothing is, as far as it goes. With
 * `isOver` it says 'over' as soon as each has a whole answer.
 */
export function isRightlyAnswered(text: string, all: readonly Asked[], isOver = false): string {
  let at = 0
  for (const { token, method } of all) {
    let head = ''
    do {
      const end = text.indexOf('\r\n\r\n', at)
      if (end < 0) return ''
      head = text.slice(at, end + 2)
      if (!head.startsWith('HTTP/1.1 ')) return `no answer to ${token}: ${head.slice(0, 200)}`
      at = end + 4
    } while (/^HTTP\/1.1 1/.test(head))
    const status = Number(head.slice(9, 12))
    const isOwn = /\r\nProxy-Status: /i.test(head)
    const [, whom = ''] = TOKEN.exec(head) ?? []
    if (!isOwn && whom !== token) return `${token} got the answer to ${whom}: ${head}`
    const hasNone = method === 'HEAD' || status === 204 || status === 304
    const [, length] = /\r\nContent-Length: (\d+)\r\n/i.exec(head) ?? []
    const begin = at
    if (hasNone) continue
    if (length !== undefined) at += Number(length)
    else if (/\r\nTransfer-Encoding: chunked\r\n/i.test(head)) {
      const end = text.indexOf('\r\n0\r\n', at)
      const last = end < 0 ? -1 : text.indexOf('\r\n\r\n', end + 3)
      at = last < 0 ? Infinity : last + 4
    } else at = Infinity
    const content = text.slice(begin, at)
    if (!isOwn && !content.includes(token) && at <= text.length) return `${token} got ${content}`
    if (at > text.length) return ''
  }
  if (at < text.length) return `too much: ${text.slice(at, at + 200)}`
  return isOver ? 'over' : ''
}
