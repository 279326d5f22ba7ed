// Two connections joined: every byte of one goes to the other, in order, and so does the way it ends.
//
// An orderly end of one direction (FIN) is passed on once everything before it is written, and the other direction
// goes on; a reset of one side becomes a reset of the other. While a write is pending its source is not read, so a
// relay never holds more than the one chunk that the kernel refused, whatever the sender does. Who is connected to
// whom, and what is written about it, is left to the owner.

import { type Connection, FAILED, NO_RECEIVER, PENDING, type Receiver } from './connection.ts'
import type { Ticker } from './ticker.ts'

/**
 * How a relay ended: both directions in order; broken at one side, with an errno's name; or `unused`: upstream broke
 * before a byte went either way, so that downstream was left as it is and may be joined to another.
 */
export type RelayEnd =
  | { readonly kind: 'finished' }
  | { readonly kind: 'unused'; readonly code: string }
  | { readonly kind: 'broken'; readonly side: 'downstream' | 'upstream'; readonly code: string }

/** Bytes that are counted over all relays of one destination, besides the relay's own count. */
export interface ByteCounters {
  received: number
  sent: number
}

/** What was read of a connection before a relay got it. */
export interface Opening {
  readonly bytes: Buffer | undefined
  /** The peer will send nothing more. */
  readonly isEnd: boolean
}

export const NO_OPENING: Opening = { bytes: undefined, isEnd: false }

export interface RelayOwner {
  onRelayEnd(end: RelayEnd): void
  /**
   * Upstream speaks (with these bytes) or ends before downstream was released: release it now. False if that has to
   * wait: the bytes are kept until then.
   */
  onServerFirst(bytes: Buffer | undefined): boolean
}

const FINISHED: RelayEnd = { kind: 'finished' }

export class Relay implements Receiver {
  readonly downstream: Connection
  readonly upstream: Connection
  /** Bytes from downstream to upstream. */
  received = 0
  /** Bytes from upstream to downstream. */
  sent = 0
  /** When the last byte moved, by the ticker. */
  lastActive: number
  readonly #counters: ByteCounters
  readonly #ticker: Ticker
  readonly #owner: RelayOwner
  #isReleased = false
  /** What upstream said before, and downstream shall not have yet. */
  #held: Buffer | undefined
  #anyEnded = false
  #directionsDone = 0
  #ended = false

  constructor(
    downstream: Connection,
    upstream: Connection,
    counters: ByteCounters,
    ticker: Ticker,
    owner: RelayOwner,
  ) {
    this.downstream = downstream
    this.upstream = upstream
    this.#counters = counters
    this.#ticker = ticker
    this.#owner = owner
    this.lastActive = ticker.now
    this.#held = undefined
  }

  /** Listens to upstream; downstream is somebody else's until it is released. */
  start(): void {
    this.upstream.receiver = this
    this.upstream.readStart()
  }

  /** Takes downstream over, beginning with what was read of it already. Once. */
  release(opening: Opening = NO_OPENING): void {
    if (this.#ended) return
    this.#isReleased = true
    this.downstream.receiver = this
    const { bytes, isEnd } = opening
    this.#giveHeld()
    if (!isEnd) this.downstream.readStart()
    // As if they had come just now: if they do not fit, reading stops.
    if (bytes !== undefined) this.onData(this.downstream, bytes)
    if (isEnd) this.onEnd(this.downstream)
  }

  onData(from: Connection, chunk: Buffer): void {
    this.lastActive = this.#ticker.now
    let result: number
    if (from === this.downstream) {
      this.received += chunk.length
      this.#counters.received += chunk.length
      result = this.upstream.write(chunk)
    } else {
      if (!this.#isReleased && !this.#owner.onServerFirst(chunk)) {
        this.#held = Buffer.from(chunk)
        this.upstream.readStop()
        return
      }
      this.sent += chunk.length
      this.#counters.sent += chunk.length
      result = this.downstream.write(chunk)
    }
    // After a failed write the other side's error is on its way; nothing more is read until then.
    if (result === PENDING || result === FAILED) from.readStop()
  }

  onDrain(to: Connection): void {
    this.lastActive = this.#ticker.now
    this.#other(to).readStart()
  }

  onEnd(from: Connection): void {
    this.lastActive = this.#ticker.now
    if (!this.#isReleased) this.#owner.onServerFirst(undefined)
    this.#anyEnded = true
    this.#other(from).end()
  }

  onFinished(): void {
    this.#directionsDone += 1
    if (this.#directionsDone === 2) this.#end(FINISHED)
  }

  onError(at: Connection, code: string): void {
    const side = at === this.downstream ? 'downstream' : 'upstream'
    const unused = this.received === 0 && this.sent === 0 && !this.#anyEnded
    this.#end(
      side === 'upstream' && unused ? { kind: 'unused', code } : { kind: 'broken', side, code },
    )
  }

  /** Ends it now, with a reset to both sides, and without telling the owner. */
  abort(): void {
    this.#ended = true
    this.downstream.reset()
    this.upstream.reset()
  }

  /** Ends it if a peer is gone whom nobody reads from: a held back sender that reset, above all. */
  look(): void {
    for (const side of [this.downstream, this.upstream]) {
      if (side.isGone()) this.onError(side, 'ECONNRESET')
    }
  }

  /** No byte has moved for a while. */
  rest(): void {
    this.downstream.rest()
    this.upstream.rest()
  }

  #giveHeld(): void {
    const held = this.#held
    if (held === undefined) return
    this.#held = undefined
    this.upstream.readStart()
    this.onData(this.upstream, held)
  }

  #other(side: Connection): Connection {
    return side === this.downstream ? this.upstream : this.downstream
  }

  #end(end: RelayEnd): void {
    if (this.#ended) return
    this.#ended = true
    if (end.kind === 'finished') {
      this.downstream.close()
      this.upstream.close()
    } else if (end.kind === 'unused') {
      if (this.#isReleased) {
        this.downstream.readStop()
        this.downstream.receiver = NO_RECEIVER
      }
      this.upstream.reset()
    } else {
      this.downstream.reset()
      this.upstream.reset()
    }
    this.#owner.onRelayEnd(end)
  }
}
