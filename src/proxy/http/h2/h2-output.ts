// The frames that leave a connection, put together so that those of one turn of the event loop leave in one write.
//
// While the kernel does not take the last write, what comes meanwhile lies in a second buffer: heads, and answers to
// control frames, which are counted; bodies wait in their streams. Which frame may leave when is left to the callers.

import { Flag, FRAME_HEAD, FrameType } from './protocol.ts'

const FIRST_SIZE = 4096
/** A batch of so many bytes leaves before the turn is over. */
const MOST_BATCH = 65_536
/** Up to so many bytes a loop beats the call that copies. */
const FEW = 48
const NOTHING: Buffer = Buffer.alloc(0)

/** Where batches go. */
export interface OutputSink {
  /** False: the bytes must stay as they are, and no more are given, until `drained`. */
  write(bytes: Buffer): boolean
  /** There is something to flush. */
  pending(): void
}

export class H2Output {
  /** The kernel has not taken the last batch. */
  isClogged = false
  /** Of the bytes that wait behind it, those that a peer caused that does not read. */
  controlBytes = 0
  readonly #sink: OutputSink
  #batch: Buffer = NOTHING
  #length = 0
  /** The other buffer: with the kernel while clogged. */
  #other: Buffer = NOTHING
  /** What was given last: a batch of the same length needs no new object. */
  #given: Buffer = NOTHING
  /** Where the last frame begins, and whose it is: it may still be told that it is the last one of its stream. */
  #lastAt = -1
  #lastId = 0

  constructor(sink: OutputSink) {
    this.#sink = sink
  }

  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** Bytes that wait for the end of the turn, or for the kernel. */
  get waiting(): number {
    return this.#length
  }

  /** The head of a frame: `length` bytes follow by `put` or `number`. */
  frame(type: FrameType, flags: number, id: number, length: number): void {
    this.#reserve(FRAME_HEAD + length)
    const batch = this.#batch
    const at = this.#length
    batch[at] = length >> 16
    batch[at + 1] = length >> 8
    batch[at + 2] = length
    batch[at + 3] = type
    batch[at + 4] = flags
    batch[at + 5] = id >> 24
    batch[at + 6] = id >> 16
    batch[at + 7] = id >> 8
    batch[at + 8] = id
    this.#lastAt = at
    this.#lastId = id
    this.#length = at + FRAME_HEAD
  }

  /** Part of the payload that was announced. */
  put(bytes: Buffer, start: number, end: number): void {
    const batch = this.#batch
    let to = this.#length
    this.#length += end - start
    if (end - start > FEW) {
      bytes.copy(batch, to, start, end)
      return
    }
    for (let at = start; at < end; at++) batch[to++] = bytes[at]!
  }

  /** A number of 32 bits in the payload. */
  number(value: number): void {
    const batch = this.#batch
    const at = this.#length
    batch[at] = value >>> 24
    batch[at + 1] = value >>> 16
    batch[at + 2] = value >>> 8
    batch[at + 3] = value
    this.#length = at + 4
  }

  /** Bytes that are no frame. */
  raw(bytes: Buffer): void {
    this.#reserve(bytes.length)
    this.#lastAt = -1
    this.put(bytes, 0, bytes.length)
  }

  short(value: number): void {
    this.#batch[this.#length] = value >> 8
    this.#batch[this.#length + 1] = value
    this.#length += 2
  }

  /** What was just written is an answer that a peer can cause at will. */
  countControl(length: number): void {
    if (this.isClogged) this.controlBytes += FRAME_HEAD + length
  }

  /** Makes the last frame the end of that stream's message. False if it is not one of its DATA or HEADERS frames. */
  endLast(id: number): boolean {
    const at = this.#lastAt
    if (at < 0 || this.#lastId !== id) return false
    const type = this.#batch[at + 3]
    if (type !== FrameType.data && type !== FrameType.headers) return false
    this.#batch[at + 4]! |= Flag.endStream
    return true
  }

  /** A batch that has grown large does not wait for the end of the turn. */
  relieve(): void {
    if (this.#length >= MOST_BATCH) this.flush()
  }

  /** Writes the batch, unless the kernel has not taken the last one yet. */
  flush(): void {
    if (this.isClogged || this.#length === 0) return
    const batch = this.#batch
    if (this.#given.length !== this.#length || this.#given.buffer !== batch.buffer) {
      this.#given = batch.subarray(0, this.#length)
    }
    this.#length = 0
    this.#lastAt = -1
    if (this.#sink.write(this.#given)) return
    this.isClogged = true
    this.#batch = this.#other
    this.#other = batch
    this.#given = NOTHING
  }

  /** The kernel has taken the last batch. */
  drained(): void {
    this.isClogged = false
    this.controlBytes = 0
    this.flush()
  }

  /** Nothing has moved for a while. */
  rest(): void {
    if (this.#length > 0 || this.isClogged) return
    this.#batch = NOTHING
    this.#other = NOTHING
    this.#given = NOTHING
  }

  #reserve(size: number): void {
    if (this.#length === 0) this.#sink.pending()
    if (this.#length + size <= this.#batch.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_SIZE, 2 * (this.#length + size)))
    this.#batch.copy(larger, 0, 0, this.#length)
    this.#batch = larger
  }
}
