// One end of a TCP connection in a test: it keeps what it saw of the other end, and how that ended.

import type { Socket } from 'node:net'
import { until } from './until.ts'

export type Bytes = string | Uint8Array

/** One end of a connection, and what it saw of the other. */
export class RawPeer {
  readonly socket: Socket
  /** Everything that was received. */
  text = ''
  /** The other side sent its FIN. */
  ended = false
  /** The errno's name if the connection broke: ECONNRESET for a reset, EPIPE where a write found out. */
  error = ''
  closed = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1')
      this.arrived()
    })
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code ?? error.message
    })
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** Writes without waiting. */
  write(bytes: Bytes): void {
    this.socket.write(asBuffer(bytes))
  }

  /** Sends FIN; reading goes on. */
  end(): void {
    this.socket.end()
  }

  /** Breaks the connection with RST. What is written but not sent yet is lost. */
  reset(): void {
    const { socket } = this
    // In that moment Node would neither reset nor close it, ever.
    const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
    if (isEnding) socket.destroy()
    else socket.resetAndDestroy()
  }

  /** Stops reading, so that the other side meets backpressure. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Resolves with the text so far once `holds`; rejects if the connection is over without it. */
  async until(holds: (text: string) => boolean, what = 'a text'): Promise<string> {
    await until(what, () => {
      if (holds(this.text)) return true
      if (this.ended || this.closed)
        throw new Error(`${this.error || 'end'} before ${what}: ${JSON.stringify(this.text)}`)
      return false
    })
    return this.text
  }

  /** Resolves when nothing more will come: with '' after a FIN, whatever followed it, else with the error. */
  async over(): Promise<string> {
    await until('the end of a connection', () => this.ended || this.closed)
    return this.ended ? '' : this.error || 'closed'
  }

  protected arrived(): void {
    // A client looks at its text when it is asked for it.
  }
}

/** Text as latin1. */
export function asBuffer(bytes: Bytes): Uint8Array {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
}
