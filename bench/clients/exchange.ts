// One connection that asks a question again and again and checks every answer. What comes after an answer (another
// question, or the end) is left to whoever made it, and what is asked and how an answer is checked to its Talk.

import { connect, type Socket } from 'node:net'

export interface Listener {
  /** A whole answer came, `millis` after its question. */
  answered(exchange: Exchange, millis: number): void
  /** The connection is gone; `problem` if it should not be, or went in the middle of an answer. */
  closed(exchange: Exchange, problem: string | undefined): void
}

/** A question and its answer, on one connection. */
export interface Talk {
  /** Read at most so many bytes at a time. */
  readonly bufferBytes: number
  /** Bytes of the current answer so far. */
  readonly received: number
  ask(socket: Socket): void
  /** True once the answer is whole. Throws if it is not what it should be. */
  take(bytes: Buffer): boolean
}

export class Exchange {
  readonly #socket: Socket
  readonly #listener: Listener
  readonly #talk: Talk
  #asked = Number.NaN
  #ended = false
  #problem: string | undefined

  constructor(port: number, listener: Listener, talk: Talk) {
    this.#listener = listener
    this.#talk = talk
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      // Reading into one buffer of our own keeps the client cheap, so that the proxy is what is busy.
      onread: {
        buffer: Buffer.allocUnsafe(talk.bufferBytes),
        callback: (size, buffer) => {
          this.#read((buffer as Buffer).subarray(0, size))
          return true
        },
      },
    })
    this.#socket.on('error', (error) => {
      this.#problem ??= error.message
    })
    this.#socket.on('close', () => {
      this.#listener.closed(this, this.#whyClosed())
    })
  }

  /** Sends the question. The next one only after the answer. */
  ask(): void {
    this.#asked = performance.now()
    this.#talk.ask(this.#socket)
  }

  end(): void {
    this.#ended = true
    this.#socket.end()
  }

  #whyClosed(): string | undefined {
    if (this.#problem !== undefined || this.#ended) return this.#problem
    return `the connection was closed after ${this.#talk.received} bytes of an answer`
  }

  #read(bytes: Buffer): void {
    let whole = false
    try {
      whole = this.#talk.take(bytes)
    } catch (error) {
      this.#problem ??= error instanceof Error ? error.message : String(error)
      this.#socket.destroy()
    }
    if (whole) this.#listener.answered(this, performance.now() - this.#asked)
  }
}
