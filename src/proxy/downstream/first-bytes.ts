// A connection to a port that is declared to be HTTP, until its first bytes say which: the preface of HTTP/2 (RFC 9113
// section 3.4), or anything else, which is for the codec of HTTP/1.1 to judge.
//
// Nearly always the first read decides. Who takes the connection then is left to the caller.

import type { Millis } from '../../lib/duration.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { PREFACE } from '../http/h2/protocol.ts'
import type { Connection, Receiver } from '../net/connection.ts'
import { detect, Spoken } from '../net/detection.ts'
import { Outlet } from '../net/outlet.ts'
import { TICK } from '../net/ticker.ts'
import type { Carried } from '../stack/carried.ts'
import type { Destination } from '../stack/destination.ts'
import { errorAnswer } from './answer.ts'
import type { DownstreamHost, Successor } from './host.ts'
import { Lingering } from './lingering.ts'

/** Ticks that half a preface may wait for the rest, as the head of a request may. */
const HEAD_TICKS = 60

/** Takes the connection over, with all that was read of it. */
export type Chosen = (wire: 'http1' | 'http2', bytes: Buffer) => void

export class FirstBytes implements Receiver, Carried {
  readonly #connection: Connection
  readonly #destination: Destination
  readonly #source: string
  readonly #host: DownstreamHost
  readonly #chosen: Chosen
  readonly #since: Millis
  /** What came so far of a preface in pieces. */
  #kept: Buffer | undefined
  #ticks = 0
  #isOver = false
  #successor: Successor | undefined

  constructor(
    connection: Connection,
    destination: Destination,
    source: string,
    host: DownstreamHost,
    chosen: Chosen,
  ) {
    this.#connection = connection
    this.#destination = destination
    this.#source = source
    this.#host = host
    this.#chosen = chosen
    this.#since = host.ticker.now
    this.#kept = undefined
    this.#successor = undefined
    connection.receiver = this
  }

  start(): void {
    this.#connection.readStart()
  }

  onData(_: Connection, chunk: Buffer): void {
    const bytes = this.#kept === undefined ? chunk : Buffer.concat([this.#kept, chunk])
    const length = Math.min(bytes.length, PREFACE.length)
    const isSame = PREFACE.compare(bytes, 0, length, 0, length) === 0
    if (isSame && length < PREFACE.length) this.#kept = Buffer.from(bytes)
    else this.#choose(isSame ? 'http2' : this.#wireOf(bytes), bytes)
  }

  onEnd(): void {
    if (this.#kept === undefined) {
      this.#farewell(true)
      return
    }
    this.#choose('http1', this.#kept)
    // Who has it now hears of the end as if it had been told itself.
    this.#connection.receiver.onEnd(this.#connection)
  }

  onDrain(): void {
    // Nothing is written before it is decided.
  }

  onFinished(): void {
    // Nor ended.
  }

  onError(): void {
    this.#reset()
  }

  sweep(now: Millis): void {
    const { idleTimeout } = this.#destination
    this.#successor?.sweep(now, idleTimeout)
    if (this.#isOver) return
    if (this.#kept !== undefined) this.#ticks += 1
    const idle = now - this.#since
    if (this.#ticks >= HEAD_TICKS) this.#refuse()
    else if (this.#kept === undefined && idleTimeout > 0 && idle >= idleTimeout)
      this.#farewell(false)
    else if (idle >= 2 * TICK) this.#connection.rest()
  }

  drain(): void {
    if (!this.#isOver && this.#kept === undefined) this.#farewell(false)
  }

  abort(error: ErrorCode): void {
    this.#successor?.abort(error)
    if (!this.#isOver) this.#reset()
  }

  /** Where HTTP/2 is what is spoken, what cannot be a request of HTTP/1.1 is a preface that went wrong. */
  #wireOf(bytes: Buffer): 'http1' | 'http2' {
    if (this.#destination.wire !== 'http2') return 'http1'
    const spoken = detect(bytes, bytes.length)
    return spoken === Spoken.opaque || spoken === Spoken.tls ? 'http2' : 'http1'
  }

  #choose(wire: 'http1' | 'http2', bytes: Buffer): void {
    this.#isOver = true
    this.#kept = undefined
    this.#chosen(wire, bytes)
    this.#host.closed(this)
  }

  /** As HTTP/1.1, which the few bytes that there are could still have become. */
  #refuse(): void {
    const { status } = ERRORS['request-timeout']
    const at = { destination: this.#destination, source: this.#source }
    this.#host.refused(at, 'request-timeout', '')
    this.#host.answered({ ...at, status, requestBytes: 0, isGrpc: false }, 'request-timeout')
    const shape = { closes: true, hasBody: true, nextHop: '' }
    this.#farewell(false, errorAnswer(status, 'request-timeout', '', shape))
  }

  #farewell(clientEnded: boolean, answer?: Buffer): void {
    this.#isOver = true
    const outlet = new Outlet(this.#connection)
    if (answer !== undefined) outlet.write(answer)
    this.#successor = new Lingering(this.#connection, outlet, clientEnded, () => {
      this.#host.closed(this)
    })
  }

  #reset(): void {
    this.#isOver = true
    this.#connection.reset()
    this.#host.closed(this)
  }
}
