// The backend of the scenarios at L7: small answers, and blocks of 1 MiB in either direction, kept alive. It knows
// three requests, checks every byte of a block, and refuses whatever is not as the client sent it.

import type { Socket } from 'node:net'
import {
  BLOCK_HEAD,
  END_OF_HEAD,
  LINES,
  lengthOf,
  MAX_HEAD_BYTES,
  REFUSAL,
  UPLOAD_ANSWER,
} from '../messages.ts'
import { ANSWER, matchesPattern, PATTERN } from '../protocol.ts'
import { sendPattern } from '../sending.ts'
import { serve } from './server.ts'

const NONE = Buffer.alloc(0)

class Session {
  readonly #socket: Socket
  /** The beginning of a head that is not here as a whole. */
  #begun: Buffer = NONE
  /** Bytes of the current upload that are here; its length where there is none. */
  #taken = PATTERN.length

  constructor(socket: Socket) {
    this.#socket = socket
  }

  take(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0 && this.#socket.writable) {
      rest = this.#taken < PATTERN.length ? this.#upload(rest) : this.#head(rest)
    }
  }

  #head(chunk: Buffer): Buffer {
    const bytes = this.#begun.length === 0 ? chunk : Buffer.concat([this.#begun, chunk])
    const end = bytes.indexOf(END_OF_HEAD)
    if (end === -1) {
      if (bytes.length > MAX_HEAD_BYTES) this.#refuse('a head without an end')
      // The chunk's memory is used again for the next one.
      this.#begun = Buffer.from(bytes)
      return NONE
    }
    this.#begun = NONE
    this.#answer(bytes, end + END_OF_HEAD.length)
    return bytes.subarray(end + END_OF_HEAD.length)
  }

  #answer(bytes: Buffer, end: number): void {
    if (startsWith(bytes, LINES.small)) this.#socket.write(ANSWER)
    else if (startsWith(bytes, LINES.download)) this.#download()
    else if (startsWith(bytes, LINES.upload)) {
      if (lengthOf(bytes.toString('latin1', 0, end)) === PATTERN.length) this.#taken = 0
      else this.#refuse('an upload of an unknown length')
    } else this.#refuse('an unknown request')
  }

  #download(): void {
    this.#socket.cork()
    this.#socket.write(BLOCK_HEAD)
    sendPattern(this.#socket, PATTERN.length, () => undefined)
    this.#socket.uncork()
  }

  #upload(chunk: Buffer): Buffer {
    const part = chunk.subarray(0, PATTERN.length - this.#taken)
    if (!matchesPattern(part, this.#taken)) {
      this.#refuse(`wrong bytes after ${this.#taken} of an upload`)
      return NONE
    }
    this.#taken += part.length
    if (this.#taken === PATTERN.length) this.#socket.write(UPLOAD_ANSWER)
    return chunk.subarray(part.length)
  }

  /** The client sees the status, and so the run fails. */
  #refuse(why: string): void {
    process.stderr.write(`${why}\n`)
    this.#socket.end(REFUSAL)
  }
}

function startsWith(bytes: Buffer, line: Buffer): boolean {
  return bytes.length >= line.length && bytes.compare(line, 0, line.length, 0, line.length) === 0
}

serve((socket) => {
  const session = new Session(socket)
  socket.on('data', (chunk: Buffer) => {
    session.take(chunk)
  })
})
