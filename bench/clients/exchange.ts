// One connection that asks for the fixed answer and checks every byte of it. What comes after the answer (another
// question, or the end) is left to whoever made it.

import { connect, type Socket } from 'node:net'
import { ANSWER, REQUEST } from '../protocol.ts'

const BUFFER_BYTES = 1024

export interface Listener {
  /** A whole answer came, `millis` after its question. */
  answered(exchange: Exchange, millis: number): void
  /** The connection is gone; `problem` if it should not be, or went in the middle of an answer. */
  closed(exchange: Exchange, problem: string | undefined): void
}

export class Exchange {
  readonly #socket: Socket
  readonly #listener: Listener
  #received = 0
  #asked = Number.NaN
  #ended = false
  #problem: string | undefined

  constructor(port: number, listener: Listener) {
    this.#listener = listener
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      // Reading into one buffer of our own keeps the client cheap, so that the proxy is what is busy.
      onread: {
        buffer: Buffer.allocUnsafe(BUFFER_BYTES),
        callback: (size, buffer) => this.#read(size, buffer as Buffer),
      },
    })
    this.#socket.on('error', (error) => {
      this.#problem ??= error.message
    })
    this.#socket.on('close', () => {
      this.#listener.closed(this, this.#whyClosed())
    })
  }

  /** Sends the request. The next one only after the answer. */
  ask(): void {
    this.#received = 0
    this.#asked = performance.now()
    this.#socket.write(REQUEST)
  }

  end(): void {
    this.#ended = true
    this.#socket.end()
  }

  #whyClosed(): string | undefined {
    if (this.#problem !== undefined || this.#ended) return this.#problem
    return `the connection was closed after ${this.#received} of ${ANSWER.length} bytes`
  }

  #read(size: number, buffer: Buffer): boolean {
    const from = this.#received
    this.#received += size
    const wrong =
      this.#received > ANSWER.length || ANSWER.compare(buffer, 0, size, from, this.#received) !== 0
    if (wrong) {
      this.#problem = `wrong bytes after ${from} of an answer`
      this.#socket.destroy()
    } else if (this.#received === ANSWER.length) {
      this.#listener.answered(this, performance.now() - this.#asked)
    }
    return true
  }
}
