// The end of a connection whose last answer is written: what the client still sends is thrown away for a while.
//
// A connection that is closed with unread bytes is reset, and the reset may destroy the answer before the client has
// read it (RFC 9112 section 9.6). So the sending side is ended first, and the rest waits for the client, not for long.

import type { Millis } from '../../lib/duration.ts'
import type { Connection, Receiver } from '../net/connection.ts'
import type { Outlet } from '../net/outlet.ts'
import { TICK } from '../net/ticker.ts'
import type { Successor } from './host.ts'

const MOST_BYTES = 1_048_576
const MOST_TICKS = 3

export class Lingering implements Receiver, Successor {
  readonly #connection: Connection
  readonly #outlet: Outlet
  readonly #closed: () => void
  #clientEnded: boolean
  #isEnded = false
  #bytes = 0
  #ticks = 0

  /** `closed` is told once the connection is. */
  constructor(connection: Connection, outlet: Outlet, clientEnded: boolean, closed: () => void) {
    this.#connection = connection
    this.#outlet = outlet
    this.#clientEnded = clientEnded
    this.#closed = closed
    connection.receiver = this
    if (!clientEnded) connection.readStart()
    if (outlet.isEmpty) connection.end()
  }

  sweep(_: Millis, idleTimeout: Millis): void {
    this.#ticks += 1
    if (!this.#outlet.isEmpty) {
      // The client may take its time for the answer, as long as some of it goes.
      if (idleTimeout > 0 && this.#ticks * TICK >= idleTimeout) this.abort()
    } else if (this.#ticks >= MOST_TICKS) {
      // Not a reset, which would take with it what the kernel has not sent yet.
      this.#connection.close()
      this.#closed()
    }
  }

  abort(): void {
    this.#connection.reset()
    this.#closed()
  }

  onData(_: Connection, chunk: Buffer): void {
    this.#bytes += chunk.length
    // Not a reset either: a client that sends much may still be reading. What more it sends waits in the kernel.
    if (this.#bytes > MOST_BYTES) this.#connection.readStop()
  }

  onDrain(): void {
    this.#ticks = 0
    if (this.#outlet.drained()) this.#connection.end()
  }

  onEnd(): void {
    this.#clientEnded = true
    this.#look()
  }

  onFinished(): void {
    this.#isEnded = true
    this.#look()
  }

  onError(): void {
    this.abort()
  }

  #look(): void {
    if (!this.#isEnded || !this.#clientEnded) return
    this.#connection.close()
    this.#closed()
  }
}
