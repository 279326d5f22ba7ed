// The two ends of the storm over HTTP/2: requests that name themselves, a server that does everything that the protocol
// lets it do, and some of what it does not, and a look at whether what came back belongs to what was asked.

import { constants, type OutgoingHttpHeaders, type ServerHttp2Session } from 'node:http2'
import type { Random } from '../../../src/lib/random.ts'
import type { H2Asked as Answered, H2Client } from '../../support/h2-client.ts'
import type { H2Answer, H2Asked } from '../../support/h2-server.ts'
import { bodyOf } from './storm-peers.ts'

const {
  NGHTTP2_CANCEL: CANCEL,
  NGHTTP2_ENHANCE_YOUR_CALM: CALM,
  NGHTTP2_INTERNAL_ERROR: INTERNAL,
  NGHTTP2_NO_ERROR: NO_ERROR,
  NGHTTP2_REFUSED_STREAM: REFUSED,
} = constants

const GRPC = 'application/grpc'
const MOST_ID = 2 ** 31

function oneOf<T>(random: Random, all: readonly T[]): T {
  return all[Math.floor(random() * all.length)] as T
}

/** A request of a client of HTTP/2. */
export class StreamAsked {
  readonly token: string
  readonly mayRepeat: boolean
  readonly #isHead: boolean
  readonly #answered: Answered
  /** The client itself has given it up. */
  isGivenUp = false

  constructor(random: Random, number: number, client: H2Client, calm = false) {
    const isCall = !calm && random() < 0.2
    const method = calm ? 'PUT' : isCall ? 'POST' : oneOf(random, ['GET', 'HEAD', 'PUT', 'POST'])
    this.mayRepeat = method !== 'POST' || isCall
    this.#isHead = method === 'HEAD'
    const hasBody = method === 'PUT' || method === 'POST'
    const sizes = calm ? [400_000] : [0, 1, 3000, 20_000, 65_535, 65_536, 90_000, 200_000]
    const length = hasBody ? oneOf(random, sizes) : 0
    this.token = `h${number}-${length}-${Math.floor(random() * 1e9)}`
    const body = bodyOf(this.token, length)
    const headers: OutgoingHttpHeaders = {
      ':method': method,
      ':path': calm ? '/calm' : `/${number}`,
      'x-token': this.token,
      ...(isCall ? { 'content-type': GRPC, te: 'trailers' } : {}),
      ...(hasBody && random() < 0.5 ? { 'content-length': length } : {}),
      ...(random() < 0.1 ? { 'x-envoy-expected-rq-timeout-ms': 800 } : {}),
      ...(isCall && random() < 0.3 ? { 'grpc-timeout': '700m' } : {}),
      ...(length > 0 && random() < 0.1 ? { expect: '100-continue' } : {}),
    }
    const way = calm ? 0 : random()
    this.#answered = client.ask(headers, way < 0.6 ? body : length === 0 ? '' : null)
    const { stream } = this.#answered
    if (way >= 0.6 && length > 0) void this.#trickle(random, body)
    if (calm) return
    if (random() < 0.1) {
      stream.pause()
      setTimeout(() => stream.resume(), 20 + random() * 60)
    }
    if (random() < 0.08)
      setTimeout(() => {
        this.#giveUp()
      }, random() * 30)
  }

  /** Node waits for ever for its own writes if the rest of them is not wanted. */
  get isOver(): boolean {
    const { closed, ended, stream } = this.#answered
    return closed || (ended && stream.closed)
  }

  /** For a message about it. */
  get state(): string {
    const { code, ended, status, stream, text } = this.#answered
    const { readableFlowing, writableLength, writableFinished, destroyed, closed } = stream
    return JSON.stringify({
      ...(status === 200 ? {} : { text: text.slice(0, 200) }),
      ...{ status, ended, code, length: text.length, isGivenUp: this.isGivenUp, destroyed, closed },
      ...{ readableFlowing, writableLength, writableFinished, window: stream.state },
    })
  }

  giveUp(): void {
    this.#answered.stream.destroy()
  }

  /** All of the answer came from an application. */
  get isServed(): boolean {
    const { code, ended, status, headers } = this.#answered
    const isWhole = ended && status === 200 && (code === NO_ERROR || this.isGivenUp)
    return isWhole && headers['proxy-status'] === undefined
  }

  /** What is wrong with the answer; '' if nothing is. */
  get problem(): string {
    const { headers, status, text, trailers } = this.#answered
    if (status === 0 || headers['proxy-status'] !== undefined) return ''
    const whom = headers['x-token']
    if (whom !== this.token) return `${this.token} got the answer to ${String(whom)}`
    const length = Number(headers['x-length'] ?? 0)
    const whole = bodyOf(this.token, length)
    if (!whole.startsWith(text)) return `${this.token} got other bytes`
    const isCut = trailers?.['proxy-status'] !== undefined
    const hasBody = !this.#isHead && status === 200
    const isShort = this.isServed && !this.isGivenUp && hasBody && !isCut && text.length !== length
    return isShort ? `${this.token} ended early, at ${text.length} of ${length} ${this.state}` : ''
  }

  #giveUp(): void {
    if (this.#answered.closed) return
    this.isGivenUp = true
    // Node ends the message in order before it closes a stream with a code; this resets it.
    this.#answered.stream.destroy(new Error('enough'))
  }

  async #trickle(random: Random, body: string): Promise<void> {
    const { stream } = this.#answered
    const size = Math.ceil(body.length / (1 + Math.floor(random() * 5)))
    for (let at = 0; at < body.length && stream.writable; at += size) {
      stream.write(body.slice(at, at + size), 'latin1')
      await new Promise((resolve) => setTimeout(resolve, random() * 8))
    }
    if (stream.writable) stream.end()
  }
}

/** Answers what it likes. `processed` counts by token how often a request was acted on. */
export class StormyServer {
  readonly processed: Map<string, number> = new Map<string, number>()
  readonly problems: string[] = []
  /** By session that said GOAWAY the last stream that it takes. */
  readonly #lastOf: Map<ServerHttp2Session, number> = new Map<ServerHttp2Session, number>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  readonly answer: H2Answer = (asked) => {
    const random = this.#random
    const { stream } = asked
    if (asked.path === '/calm') {
      stream.on('end', () => {
        this.#fine(asked, 300_000)
      })
      return
    }
    const way = random()
    if (way < 0.08) {
      stream.close(REFUSED)
      return
    }
    if (way < 0.09) {
      this.#later(asked, (session) => {
        session.destroy()
      })
      return
    }
    // Node sends its GOAWAY later than it decides on the last stream, and still gives those that come between.
    if (Number(stream.id) > (this.#lastOf.get(asked.session) ?? MOST_ID)) return
    if (way < 0.11) this.#later(asked, this.#leave)
    else if (way < 0.13) this.#change(asked)
    if (stream.destroyed || stream.closed || asked.session.destroyed) return
    this.#process(asked)
  }

  /** As of `close` (h2-server.ts): not while it reads. */
  #later({ session }: H2Asked, act: (session: ServerHttp2Session) => void): void {
    setImmediate(() => {
      if (!session.destroyed) act(session)
    })
  }

  /** Not `session.close`, with which Node itself resets streams while it reads them. */
  readonly #leave = (session: ServerHttp2Session): void => {
    const last = session.state.lastProcStreamID ?? 0
    this.#lastOf.set(session, last)
    session.goaway(NO_ERROR, last)
  }

  #process(asked: H2Asked): void {
    const random = this.#random
    const { stream } = asked
    const token = String(asked.headers['x-token'])
    this.processed.set(token, (this.processed.get(token) ?? 0) + 1)
    if (random() < 0.1) {
      stream.pause()
      setTimeout(() => stream.resume(), random() * 60)
    }
    // Before the request is whole, at times.
    if (random() < 0.15) this.#act(asked)
    else
      stream.on('end', () => {
        this.#act(asked)
      })
  }

  #act(asked: H2Asked): void {
    const { stream } = asked
    if (stream.destroyed || stream.closed) return
    this.#look(asked)
    const random = this.#random
    const way = random()
    const size = oneOf(random, [0, 1, 100, 20_000, 70_000, 150_000])
    if (way < 0.45) this.#fine(asked, size)
    else if (way < 0.55)
      setTimeout(() => {
        this.#fine(asked, size)
      }, random() * 20)
    else if (way < 0.6) {
      stream.additionalHeaders({ ':status': 103, link: 'a' })
      setTimeout(() => {
        this.#fine(asked, size)
      }, random() * 10)
    } else if (way < 0.68) this.#head(asked, oneOf(random, [204, 304, 404, 503, 502]), true)
    else if (way < 0.76) stream.close(oneOf(random, [CANCEL, INTERNAL, NO_ERROR, CALM]))
    else if (way < 0.84) this.#half(asked)
    else if (way < 0.9) this.#slow(asked, 120_000)
    else if (way < 0.94) this.#head(asked, 200, true, { 'grpc-status': 14 })
    else if (way < 0.97) this.#fine(asked, size)
  }

  #look(asked: H2Asked): void {
    const token = String(asked.headers['x-token'])
    const whole = bodyOf(token, Number(token.split('-')[1]))
    const isRight = asked.isEnded ? asked.body === whole : whole.startsWith(asked.body)
    if (!isRight) this.problems.push(`${token} came as ${asked.body.length} other bytes`)
  }

  #head(asked: H2Asked, status: number, isEnd: boolean, more: OutgoingHttpHeaders = {}): void {
    const { stream } = asked
    if (stream.destroyed || stream.closed || stream.headersSent) return
    const isCall = asked.headers['content-type'] === GRPC
    const headers: OutgoingHttpHeaders = {
      ':status': status,
      'x-token': asked.headers['x-token'],
      ...(isCall ? { 'content-type': GRPC } : {}),
      ...more,
    }
    const hasTrailers = isCall && !isEnd
    stream.respond(headers, { endStream: isEnd, waitForTrailers: hasTrailers })
    if (!hasTrailers) return
    stream.on('wantTrailers', () => {
      if (!stream.destroyed) stream.sendTrailers({ 'grpc-status': '0' })
    })
  }

  #fine(asked: H2Asked, wanted: number): void {
    // A client of HTTP/1.1 knows by the body whose answer it has.
    const isOld = !String(asked.headers['x-token']).startsWith('h')
    const size = isOld ? Math.max(wanted, 100) : wanted
    const { stream } = asked
    const isCounted = this.#random() < 0.5 ? { 'content-length': size } : {}
    const isHead = asked.headers[':method'] === 'HEAD'
    this.#head(asked, 200, isHead, { 'x-length': size, ...isCounted })
    if (!isHead && stream.writable) {
      stream.end(bodyOf(String(asked.headers['x-token']), size), 'latin1')
    }
  }

  #half(asked: H2Asked): void {
    const { stream } = asked
    if (asked.headers[':method'] === 'HEAD') return
    this.#head(asked, 200, false, { 'x-length': 50_000 })
    stream.write(bodyOf(String(asked.headers['x-token']), 30_000), 'latin1')
    setTimeout(() => {
      // As above.
      if (!stream.destroyed) stream.destroy(new Error('enough'))
    }, this.#random() * 20)
  }

  #slow(asked: H2Asked, size: number): void {
    const { stream } = asked
    const body = bodyOf(String(asked.headers['x-token']), size)
    if (asked.headers[':method'] === 'HEAD') return
    this.#head(asked, 200, false, { 'x-length': size })
    let at = 0
    const timer = setInterval(() => {
      if (!stream.writable) clearInterval(timer)
      else if (at >= size) stream.end()
      else stream.write(body.slice(at, at + 30_000), 'latin1')
      at += 30_000
    }, 4)
  }

  #change({ session }: H2Asked): void {
    const random = this.#random
    session.settings({
      maxConcurrentStreams: oneOf(random, [0, 1, 2, 10, 1000]),
      initialWindowSize: oneOf(random, [0, 1, 1000, 65_535, 200_000]),
      headerTableSize: oneOf(random, [0, 100, 4096]),
    })
    // It has second thoughts.
    setTimeout(() => {
      if (session.destroyed) return
      session.settings({ maxConcurrentStreams: 20, initialWindowSize: 65_535 })
    }, 30)
  }
}
