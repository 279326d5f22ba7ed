// What stands on the streams of a connection under test: a server that answers, or a client that asks, and a log of
// what it was told.

import { Event } from '../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../src/proxy/http/h1/request-reader.ts'
import { askedBy } from '../../src/proxy/http/h1/response-rules.ts'
import type { H2Connection } from '../../src/proxy/http/h2/h2-connection.ts'
import type { H2Stream } from '../../src/proxy/http/h2/h2-stream.ts'
import { H2Error, h2ErrorName } from '../../src/proxy/http/h2/protocol.ts'
import type { StreamReceiver, StreamReset } from '../../src/proxy/http/h2/stream-receiver.ts'
import type { Head } from '../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../src/proxy/http/limits.ts'
import { shown } from './h2-wire.ts'

/** How an application behaves. */
export interface Manners {
  /** When a server answers: as soon as it is asked, when the request is over, or never. */
  readonly answers: 'head' | 'end' | 'never'
  readonly body: Buffer
  /** A trailer section follows the body. */
  readonly hasTrailers: boolean
  /** Takes bodies as they come. */
  readonly reads: boolean
}

const MANNERS: Manners = {
  answers: 'end',
  body: Buffer.from('ok'),
  hasTrailers: false,
  reads: true,
}

/** Of one request and its response. */
interface Work {
  readonly id: number
  heads: number
  body: Buffer[]
  logged: number
  sent: number
  answered: boolean
  sentAll: boolean
  ended: boolean
  released: boolean
}

const PIECE = 16_384
const TRAILERS = Buffer.from('x-sum: 1\r\n')

export class H2App {
  manners: Manners
  /** By stream. */
  readonly streams: Map<number, H2Stream> = new Map()
  /** How many it was told of. */
  heads = 0
  readonly #host: { readonly role: 'client' | 'server'; readonly connection: H2Connection }
  readonly #work: Map<number, Work> = new Map()
  readonly #log: string[] = []

  constructor(
    host: { readonly role: 'client' | 'server'; readonly connection: H2Connection },
    manners: Partial<Manners> = {},
  ) {
    this.#host = host
    this.manners = { ...MANNERS, ...manners }
  }

  /** What was told since the last call; pieces of one body in sequence are one line. */
  take(): string[] {
    for (const work of this.#work.values()) work.logged = -1
    return this.#log.splice(0)
  }

  /** Bytes of the body that came on that stream. */
  received(id: number): Buffer {
    return Buffer.concat(this.#work.get(id)?.body ?? [])
  }

  stream(id: number): H2Stream {
    const stream = this.streams.get(id)
    if (stream === undefined) throw new Error(`stream ${id} was not told of`)
    return stream
  }

  receiver(): StreamReceiver {
    return {
      onHead: (stream, head) => {
        this.#onHead(stream, head)
      },
      onRead: (stream) => {
        this.#onRead(stream)
      },
      onWritable: (stream) => {
        this.#pump(stream)
      },
      onReset: (stream, reset) => {
        this.#onReset(stream, reset)
      },
    }
  }

  /** Sends a request, written as HTTP/1.1; without `isEnd` its body is left to the test. */
  ask(text: string, isEnd: boolean): H2Stream {
    const reader = new RequestReader(DEFAULT_LIMITS)
    const bytes = Buffer.from(text, 'latin1')
    if (reader.read(bytes, 0, bytes.length) !== Event.head) throw new Error('not a request')
    const { connection } = this.#host
    const stream = connection.openStream(this.receiver(), askedBy(reader.head))
    connection.heads.request(reader.head, 0)
    if (!stream.sendHead(isEnd)) throw new Error('the head was not written')
    this.streams.set(stream.id, stream)
    this.#workOf(stream).sentAll = isEnd
    return stream
  }

  /** Answers with the body that the manners say. */
  answer(stream: H2Stream): void {
    const work = this.#workOf(stream)
    work.answered = true
    const { heads } = this.#host.connection
    heads.status(200)
    const isEnd = this.manners.body.length === 0 && !this.manners.hasTrailers
    stream.sendHead(isEnd)
    if (isEnd) this.#sentAll(stream, work)
    else this.#pump(stream)
  }

  hasAnswered(id: number): boolean {
    return this.#work.get(id)?.answered === true
  }

  /** A head of that status alone. */
  interim(stream: H2Stream, status: number): void {
    const { heads } = this.#host.connection
    heads.status(status)
    stream.sendHead(false)
  }

  /** Takes what there is of a body that was not read as it came. */
  takeBody(stream: H2Stream): void {
    const work = this.#workOf(stream)
    stream.giveTo({
      body: (bytes, start, end) => {
        const piece = Buffer.from(bytes.subarray(start, end))
        work.body.push(piece)
        this.#logBody(work)
      },
    })
    stream.consumed()
    this.#logEnd(stream, work)
  }

  #workOf(stream: H2Stream): Work {
    let work = this.#work.get(stream.id)
    if (work === undefined) {
      work = {
        id: stream.id,
        heads: 0,
        body: [],
        logged: -1,
        sent: 0,
        answered: false,
        sentAll: false,
        ended: false,
        released: false,
      }
      this.#work.set(stream.id, work)
    }
    return work
  }

  #onHead(stream: H2Stream, head: Head): void {
    this.streams.set(stream.id, stream)
    const work = this.#workOf(stream)
    if (work.released) throw new Error(`stream ${stream.id} was released`)
    work.heads++
    this.heads++
    const what = this.#host.role === 'server' ? `${head.methodText} ${head.target}` : head.status
    this.#log.push(`${stream.id} head ${what}`)
    if (this.#host.role === 'server' && this.manners.answers === 'head') this.answer(stream)
  }

  #onRead(stream: H2Stream): void {
    const work = this.#workOf(stream)
    if (work.released) throw new Error(`stream ${stream.id} was released`)
    if (work.heads === 0) throw new Error(`stream ${stream.id} has no head`)
    if (this.manners.reads) this.takeBody(stream)
    const wants = this.#host.role === 'server' && this.manners.answers === 'end'
    if (wants && stream.remoteEnded && !work.answered) this.answer(stream)
    else this.#releaseIfOver(stream, work)
  }

  #onReset(stream: H2Stream, { code, by, isUnprocessed, details }: StreamReset): void {
    const work = this.#workOf(stream)
    if (work.released) throw new Error(`stream ${stream.id} was released`)
    if (details === '') throw new Error('a reset without a reason')
    const isWhole = this.#host.role === 'client' && stream.remoteEnded
    if (isWhole && this.manners.reads) this.takeBody(stream)
    const note = isUnprocessed ? ' unprocessed' : ''
    this.#log.push(`${stream.id} reset ${h2ErrorName(code)} by ${by}${note}`)
    if (!isWhole || this.manners.reads) this.#release(stream, work)
  }

  #logBody(work: Work): void {
    const text = `${work.id} body ${shown(Buffer.concat(work.body))}`
    const last = this.#log[this.#log.length - 1]
    if (work.logged >= 0 && last?.startsWith(`${work.id} body `) === true) this.#log.pop()
    this.#log.push(text)
    work.logged = this.#log.length
  }

  #logEnd(stream: H2Stream, work: Work): void {
    if (!stream.remoteEnded || work.ended) return
    work.ended = true
    const names: string[] = []
    const { trailers } = stream
    for (let i = 0; trailers !== undefined && i < trailers.count; i++)
      names.push(trailers.nameAt(i))
    this.#log.push(`${stream.id} end${trailers === undefined ? '' : ` {${names.join(',')}}`}`)
  }

  #pump(stream: H2Stream): void {
    const work = this.#workOf(stream)
    if (!work.answered || work.sentAll) return
    const { body, hasTrailers } = this.manners
    while (work.sent < body.length && stream.isWritable) {
      const end = Math.min(body.length, work.sent + PIECE)
      stream.sendData(body, work.sent, end)
      work.sent = end
    }
    if (work.sent < body.length) return
    if (hasTrailers) {
      stream.sendTrailers(undefined, TRAILERS)
    } else {
      stream.sendEnd()
    }
    this.#sentAll(stream, work)
  }

  #sentAll(stream: H2Stream, work: Work): void {
    work.sentAll = true
    this.#releaseIfOver(stream, work)
  }

  #releaseIfOver(stream: H2Stream, work: Work): void {
    if (work.sentAll && work.ended) this.#release(stream, work)
  }

  #release(stream: H2Stream, work: Work): void {
    if (work.released) return
    work.released = true
    this.streams.delete(stream.id)
    stream.release()
  }

  /** Gives up on a stream. */
  cancel(id: number, code: number = H2Error.cancel): void {
    const stream = this.stream(id)
    stream.reset(code)
    this.#release(stream, this.#workOf(stream))
  }
}
