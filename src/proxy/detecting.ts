// A connection of which it is not known yet what it speaks: its first bytes are kept until they say.
//
// The endpoint is connected to meanwhile, as if the connection were opaque, so that a server that speaks first is
// heard at once and nothing waits for a timer; one that greets as HTTP/2 does is kept from the client, who has to say
// first that this is what it speaks. Where a client has spoken HTTP before, the server is one that waits:
// then the connect is spared unless the client keeps silent too. What it turns out to be is told to the reception.

import type { Clock, Timer } from '../lib/clock.ts'
import type { Millis } from '../lib/duration.ts'
import type { ErrorCode } from '../lib/errors.ts'
import type { Connection, Receiver } from './net/connection.ts'
import { detect, greetsInHttp2, MOST_UNDECIDED, Spoken } from './net/detection.ts'
import type { Opening } from './net/relay.ts'
import type { Carried } from './stack/carried.ts'
import type { Destination } from './stack/destination.ts'
import type { Holder, Session } from './upstream/session.ts'
import type { Admitted } from './upstream/sessions.ts'

/** Where HTTP was spoken before, a server is asked whether it speaks first when the client was silent for so long. */
const SILENCE: Millis = 50
/** A client that has sent half a method, or nothing to a server that greets as HTTP/2 does, waits for something else than its own next byte, after so many ticks. */
const MOST_TICKS = 3

export interface DetectingHost {
  readonly clock: Clock
  /** Connects to the endpoint for a client whose bytes are kept; undefined if there is no connection to be had. */
  speculate(detecting: Detecting): Session | undefined
  /** The session is over, and the client is not. */
  kept(detecting: Detecting): void
  /** It is HTTP/1: `session`, if there is one, is not wanted. */
  http(detecting: Detecting, session: Session | undefined, bytes: Buffer): void
  /** It is HTTP/2, as above. */
  http2(detecting: Detecting, session: Session | undefined, bytes: Buffer): void
  /** It is anything else. */
  opaque(detecting: Detecting, session: Session | undefined, opening: Opening): void
  /** The client is gone, or was reset, and nobody has the connection. */
  lost(detecting: Detecting): void
}

export class Detecting implements Receiver, Holder, Carried {
  readonly connection: Connection
  readonly destination: Destination
  readonly admitted: Admitted
  readonly #host: DetectingHost
  #session: Session | undefined
  #timer: Timer | undefined
  /** What came so far, if it came in pieces. */
  #kept: Buffer | undefined
  /** The server has begun as one of HTTP/2 does. */
  #isGreeted = false
  #isOver = false
  /** There is no endpoint to connect to. */
  isFailed = false
  #ticks = 0

  constructor(
    connection: Connection,
    destination: Destination,
    admitted: Admitted,
    host: DetectingHost,
  ) {
    this.connection = connection
    this.destination = destination
    this.admitted = admitted
    this.#host = host
    this.#session = undefined
    this.#timer = undefined
    this.#kept = undefined
  }

  start(): void {
    this.connection.receiver = this
    this.connection.readStart()
    if (!this.destination.seenHttp) {
      this.#speculate()
      return
    }
    this.#timer = this.#host.clock.after(SILENCE, () => {
      this.#host.clock.afterPoll(() => {
        if (!this.#isOver) this.#speculate()
      })
    })
  }

  onData(_: Connection, chunk: Buffer): void {
    const bytes = this.#kept === undefined ? chunk : Buffer.concat([this.#kept, chunk])
    this.#ticks = 0
    switch (detect(bytes, bytes.length)) {
      case Spoken.undecided:
        if (bytes.length < MOST_UNDECIDED) this.#kept = Buffer.from(bytes)
        else this.#opaque({ bytes, isEnd: false })
        return
      case Spoken.http1:
        this.#decideHttp()
        this.#host.http(this, this.#session, bytes)
        return
      case Spoken.http2:
        this.#decideHttp()
        this.#host.http2(this, this.#session, bytes)
        return
      case Spoken.tls:
      case Spoken.opaque:
        this.#opaque({ bytes, isEnd: false })
    }
  }

  onEnd(): void {
    this.#opaque({ bytes: this.#kept, isEnd: true })
  }

  onServerFirst(bytes: Buffer | undefined): boolean {
    if (bytes !== undefined && greetsInHttp2(bytes)) {
      this.#isGreeted = true
      return false
    }
    this.destination.seenHttp = false
    this.#opaque({ bytes: this.#kept, isEnd: false })
    return true
  }

  onDrain(): void {
    // Nothing is written before it is decided.
  }

  onFinished(): void {
    // Nor ended.
  }

  onError(): void {
    this.abort('downstream-reset')
  }

  // The client may still turn out to speak HTTP, and be told what is wrong. One that is waiting for the server is not.
  onFailed(): void {
    this.#session = undefined
    this.isFailed = true
    this.#host.kept(this)
    this.#timer = this.#host.clock.after(SILENCE, () => {
      if (!this.#isOver) this.#refuse()
    })
  }

  onTick(): void {
    if (this.#kept === undefined && !this.#isGreeted) return
    this.#ticks += 1
    if (this.#ticks >= MOST_TICKS) this.#opaque({ bytes: this.#kept, isEnd: false })
  }

  sweep(): void {
    this.onTick()
  }

  drain(): void {
    if (this.#kept !== undefined || this.#isOver) return
    this.#session?.abandon()
    this.#session = undefined
    this.#refuse()
  }

  abort(error: ErrorCode): void {
    if (this.#isOver) return
    this.#decided()
    if (this.#session === undefined) this.#refuse()
    else this.#session.abort(error)
  }

  #speculate(): void {
    const session = this.#host.speculate(this)
    if (this.isFailed) return
    this.#session = session
    if (session !== undefined) return
    // A request may wait for its turn; who waits for the server is told that there is none.
    this.#timer = this.#host.clock.after(SILENCE, () => {
      this.#opaque({ bytes: this.#kept, isEnd: false })
    })
  }

  #refuse(): void {
    this.#decided()
    this.connection.reset()
    this.#host.lost(this)
  }

  #decideHttp(): void {
    this.#decided()
    this.destination.seenHttp = true
  }

  #opaque(opening: Opening): void {
    if (this.#isOver) return
    this.#decided()
    // What was read stays where it is only as long as nothing more is read.
    this.connection.readStop()
    if (this.isFailed) this.#refuse()
    else this.#host.opaque(this, this.#session, opening)
  }

  #decided(): void {
    this.#isOver = true
    this.#timer?.cancel()
  }
}
