// A question and answer of the scenarios at L7. The head of an answer must say 200 and the right length; a proxy may
// have changed the rest of it. The body must be the right one to the byte.

import type { Socket } from 'node:net'
import { END_OF_HEAD, lengthOf, MAX_HEAD_BYTES, type Question } from '../messages.ts'
import { CHUNK_BYTES, PATTERN } from '../protocol.ts'
import { sendPattern } from '../sending.ts'
import type { Talk } from './exchange.ts'

const SMALL_BUFFER_BYTES = 4096
const NONE = Buffer.alloc(0)

export class HttpTalk implements Talk {
  readonly bufferBytes: number
  received = 0
  readonly #question: Question
  /** The beginning of a head that is not here as a whole. */
  #begun: Buffer = NONE
  /** Bytes of the body that are here; negative before the body. */
  #position = -1
  /** Whether an answer is awaited: nothing may come without a question. */
  #open = false

  constructor(question: Question) {
    this.#question = question
    const large = question.answer.length > SMALL_BUFFER_BYTES
    this.bufferBytes = large ? CHUNK_BYTES : SMALL_BUFFER_BYTES
  }

  ask(socket: Socket): void {
    this.received = 0
    this.#position = -1
    this.#open = true
    if (!this.#question.upload) {
      socket.write(this.#question.head)
      return
    }
    socket.cork()
    socket.write(this.#question.head)
    sendPattern(socket, PATTERN.length, () => undefined)
    socket.uncork()
  }

  take(bytes: Buffer): boolean {
    if (!this.#open) throw new Error(`${bytes.length} bytes that nobody asked for`)
    this.received += bytes.length
    const body = this.#position < 0 ? this.#head(bytes) : bytes
    if (body === undefined) return false
    const { answer } = this.#question
    const from = this.#position
    this.#position += body.length
    const tooLong = this.#position > answer.length
    if (tooLong || answer.compare(body, 0, body.length, from, this.#position) !== 0) {
      throw new Error(`wrong bytes after ${from} of a body`)
    }
    this.#open = this.#position < answer.length
    return !this.#open
  }

  /** What follows the head; undefined while the head is not whole. */
  #head(chunk: Buffer): Buffer | undefined {
    const bytes = this.#begun.length === 0 ? chunk : Buffer.concat([this.#begun, chunk])
    const end = bytes.indexOf(END_OF_HEAD)
    if (end === -1) {
      if (bytes.length > MAX_HEAD_BYTES) throw new Error('a head without an end')
      this.#begun = Buffer.from(bytes)
      return undefined
    }
    this.#begun = NONE
    const head = bytes.toString('latin1', 0, end + END_OF_HEAD.length)
    if (!head.startsWith('HTTP/1.1 200 ')) {
      throw new Error(`an answer that is not 200: ${head.slice(0, head.indexOf('\r\n'))}`)
    }
    if (lengthOf(head) !== this.#question.answer.length) {
      throw new Error(`an answer of a wrong length: ${head.trimEnd()}`)
    }
    this.#position = 0
    return bytes.subarray(end + END_OF_HEAD.length)
  }
}
