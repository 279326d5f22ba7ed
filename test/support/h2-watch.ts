// Holds what one side of an HTTP/2 connection sends against RFC 9113, knowing only the frames that went both ways.
//
// Knows neither the code under test nor what a test wants of it: whatever a peer sends, what is answered must be legal.
// What was fed may be wrong in every way, so of it only as much is taken as a sender may rely on at most.

import { h2ErrorName, MOST_WINDOW } from '../../src/proxy/http/h2/protocol.ts'
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  type Frame,
  fragment,
  line,
  pairsOf,
  Type,
} from './h2-wire.ts'

/** Of a frame that has begun to come: it may be credited before it is whole. */
const PART = 16_384

/** The most that our encoder makes of it. */
const FIRST_TABLE = 4096

interface Seen {
  /** Turn in which the peer reset it; NaN if it did not. */
  resetByPeer: number
  /** HEADERS of the peer came. */
  fedHead: boolean
  /** Flow-controlled bytes that came. */
  fed: number
  /** What we let the peer send beyond the first window. */
  granted: number
  /** What the peer let us send beyond the first window. */
  allowed: number
  sent: number
  sentHead: boolean
  ended: boolean
  reset: boolean
}

export interface WatchOptions {
  readonly role: 'client' | 'server'
  /** What it may grant for the whole connection beyond what came. */
  readonly connectionWindow: number
  readonly streamWindow: number
}

export class Watch {
  /** Frames leave in the turn in which they were made. */
  isPrompt = true
  turn = 0
  readonly #options: WatchOptions
  readonly #streams: Map<number, Seen> = new Map()
  readonly #pings: string[] = []
  /** The peer's SETTINGS that were not acknowledged yet. */
  readonly #settings: [number, number][][] = []
  #frameSize = 16_384
  #firstWindow = 65_535
  #allowed = 65_535
  #sent = 0
  #fed = 0
  #granted = 0
  /** Sizes of our header table that the peer allows: when the last block was sent, since then at least, and now. */
  #tableThen = FIRST_TABLE
  #tableLowest = FIRST_TABLE
  #tableNow = FIRST_TABLE
  /** Of the header block that is being sent. */
  #blockStream = 0
  #blockHead: Frame | undefined
  #lastGoaway = MOST_WINDOW
  #isOver = false
  #isFirst = true
  #highest = 0

  constructor(options: WatchOptions) {
    this.#options = options
  }

  /** A frame was given to the side that is watched. */
  fed(frame: Frame): void {
    const { type, flags, stream, payload } = frame
    const id = stream % 2 ** 31
    const seen = this.#stream(id)
    switch (type) {
      case Type.data:
        seen.fed += payload.length
        this.#fed += payload.length
        break
      case Type.headers:
        seen.fedHead = true
        break
      case Type.rstStream:
        seen.resetByPeer = this.turn
        break
      case Type.ping:
        if ((flags & ACK) === 0) this.#pings.push(payload.toString('latin1'))
        break
      case Type.settings:
        if ((flags & ACK) === 0) this.#settings.push(pairsOf(payload))
        break
      case Type.windowUpdate: {
        const by = payload.length === 4 ? payload.readUInt32BE(0) % 2 ** 31 : 0
        if (id === 0) this.#allowed += by
        else seen.allowed += by
        break
      }
      default:
    }
  }

  /** A frame was sent by it. */
  sent(frame: Frame): void {
    const problem = this.#judge(frame)
    if (problem !== undefined) throw new Error(`${line(frame)}: ${problem}`)
  }

  #stream(id: number): Seen {
    let seen = this.#streams.get(id)
    if (seen === undefined) {
      seen = {
        resetByPeer: NaN,
        fedHead: false,
        fed: 0,
        granted: 0,
        allowed: 0,
        sent: 0,
        sentHead: false,
        ended: false,
        reset: false,
      }
      this.#streams.set(id, seen)
    }
    return seen
  }

  #judge(frame: Frame): string | undefined {
    const { type, flags, stream, payload } = frame
    if (this.#isFirst && (type !== Type.settings || (flags & ACK) !== 0))
      return 'SETTINGS are first'
    this.#isFirst = false
    if (this.#isOver) return 'nothing follows the GOAWAY of a connection error'
    if (stream >= 2 ** 31) return 'the reserved bit is set'
    if (payload.length > this.#frameSize) return `${payload.length} bytes are too many`
    const inBlock = this.#blockHead !== undefined
    if (inBlock !== (type === Type.continuation)) return 'a header block is in one sequence'
    switch (type) {
      case Type.data:
        return this.#data(frame)
      case Type.headers:
      case Type.continuation:
        return this.#headers(frame)
      case Type.rstStream:
        return this.#reset(frame)
      case Type.settings:
        return stream === 0 ? this.#applySettings(frame) : 'SETTINGS on a stream'
      case Type.ping:
        return this.#ping(frame)
      case Type.goaway:
        return this.#goaway(frame)
      case Type.windowUpdate:
        return this.#grant(frame)
      default:
        return 'never sent'
    }
  }

  /** What forbids any frame but PRIORITY on this stream. */
  #closed(id: number): string | undefined {
    const seen = this.#stream(id)
    if (seen.reset) return 'it was reset'
    if (this.isPrompt && seen.resetByPeer < this.turn) return 'the peer had reset it'
    return undefined
  }

  #data({ flags, stream, payload }: Frame): string | undefined {
    const seen = this.#stream(stream)
    const closed = this.#closed(stream)
    if (closed !== undefined) return closed
    if (!seen.sentHead) return 'no HEADERS before'
    if (seen.ended) return 'after END_STREAM'
    seen.sent += payload.length
    this.#sent += payload.length
    fragment(payload, flags)
    if (payload.length > 0 && seen.sent > this.#firstWindow + seen.allowed)
      return `the window of the stream is ${this.#firstWindow + seen.allowed}, ${seen.sent} were sent`
    if (this.#sent > this.#allowed) return `the window is ${this.#allowed}, ${this.#sent} were sent`
    if ((flags & END_STREAM) !== 0) seen.ended = true
    return undefined
  }

  #headers(frame: Frame): string | undefined {
    const { type, flags, stream, payload } = frame
    if (type === Type.continuation && stream !== this.#blockStream) return 'another stream'
    const head = this.#blockHead ?? frame
    if (type === Type.headers) {
      const problem = this.#beginHead(frame) ?? this.#sizeUpdate(fragment(payload, flags))
      if (problem !== undefined) return problem
    }
    this.#blockStream = stream
    this.#blockHead = (flags & END_HEADERS) === 0 ? head : undefined
    if (this.#blockHead !== undefined) return undefined
    const fields = frame.fields ?? []
    const seen = this.#stream(stream)
    const isEnd = (head.flags & END_STREAM) !== 0
    if (seen.sentHead && !isEnd) return 'trailers end a message'
    if (seen.sentHead && fields.some(([name]) => name.startsWith(':')))
      return 'trailers with a pseudo-header field'
    if (fields.some(([name]) => name !== name.toLowerCase())) return 'a name with capitals'
    const status = fields.find(([name]) => name === ':status')?.[1]
    const isInterim = status?.startsWith('1') === true
    if (isInterim && isEnd) return 'an interim response ends nothing'
    if (!isInterim) seen.sentHead = true
    if (isEnd) seen.ended = true
    return undefined
  }

  #beginHead({ stream }: Frame): string | undefined {
    if (stream % 2 === 0) return 'not a stream of a client'
    const seen = this.#stream(stream)
    if (seen.ended) return 'after END_STREAM'
    const closed = this.#closed(stream)
    if (closed !== undefined) return closed
    if (this.#options.role === 'server') return seen.fedHead ? undefined : 'nothing was asked'
    if (!seen.sentHead && stream <= this.#highest) return 'an older stream'
    this.#highest = Math.max(this.#highest, stream)
    return undefined
  }

  /** RFC 7541 section 4.2: a smaller table is announced by the next block. */
  #sizeUpdate(block: Buffer): string | undefined {
    const most = this.#tableLowest
    const isSmaller = most < this.#tableThen
    this.#tableThen = this.#tableNow
    this.#tableLowest = this.#tableNow
    if (!isSmaller) return undefined
    const byte = block[0] ?? 0
    if ((byte & 0xe0) !== 0x20) return 'the table is not made smaller'
    let size = byte & 0x1f
    for (let at = 1, shift = 1; size >= 31 || at > 1; at++, shift *= 128) {
      const next = block[at] ?? 0
      size += (next & 0x7f) * shift
      if (next < 0x80) break
    }
    return size > most ? `the table is larger than ${most}` : undefined
  }

  #reset({ stream, payload }: Frame): string | undefined {
    const seen = this.#stream(stream)
    if (payload.length !== 4) return 'of another length'
    if (stream === 0) return 'on stream 0'
    const isIdle = this.#options.role === 'server' ? !seen.fedHead : !seen.sentHead
    if (isIdle) return 'idle'
    if (seen.reset) return 'reset already'
    seen.reset = true
    return undefined
  }

  #applySettings({ flags, payload }: Frame): string | undefined {
    if ((flags & ACK) === 0) return payload.length % 6 === 0 ? undefined : 'of another length'
    const values = this.#settings.shift()
    if (payload.length > 0) return 'an acknowledgement is empty'
    if (values === undefined) return 'acknowledges nothing'
    for (const [name, value] of values) {
      if (name === 1) {
        this.#tableNow = Math.min(value, FIRST_TABLE)
        this.#tableLowest = Math.min(this.#tableLowest, value)
      }
      if (name === 4) this.#firstWindow = value
      if (name === 5) this.#frameSize = value
    }
    return undefined
  }

  #ping({ flags, stream, payload }: Frame): string | undefined {
    if (stream !== 0 || payload.length !== 8) return 'malformed'
    if ((flags & ACK) === 0) return undefined
    return this.#pings.shift() === payload.toString('latin1') ? undefined : 'answers nothing'
  }

  #goaway({ stream, payload }: Frame): string | undefined {
    if (stream !== 0 || payload.length < 8) return 'malformed'
    const last = payload.readUInt32BE(0)
    if (last > this.#lastGoaway) return 'the last stream grows'
    this.#lastGoaway = last
    this.#isOver = h2ErrorName(payload.readUInt32BE(4)) !== 'NO_ERROR'
    return undefined
  }

  #grant({ stream, payload }: Frame): string | undefined {
    if (payload.length !== 4) return 'malformed'
    const by = payload.readUInt32BE(0)
    if (by === 0 || by > MOST_WINDOW) return 'not an increment'
    if (stream === 0) {
      this.#granted += by
      const most = this.#fed + PART + Math.max(0, this.#options.connectionWindow - 65_535)
      return this.#granted > most ? `${this.#granted} were granted, ${this.#fed} came` : undefined
    }
    const seen = this.#stream(stream)
    if (seen.reset) return 'it was reset'
    if (!seen.fedHead && !seen.sentHead) return 'idle'
    seen.granted += by
    return seen.granted > seen.fed + PART
      ? `${seen.granted} were granted, ${seen.fed} came`
      : undefined
  }
}
