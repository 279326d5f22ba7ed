// Pieces of a body as they were read, in order, uncopied: nearly always one, for slices that follow each other in the
// same bytes are one. They are good for as long as the bytes they lie in are left alone.

/** What takes pieces. */
export interface SliceTaker {
  body(bytes: Buffer, start: number, end: number): void
}

/** What keeps a copy of them. */
export interface SliceTap {
  add(bytes: Buffer, start: number, end: number): void
}

export class Slices {
  bytes: Buffer | undefined
  start = 0
  end = 0
  more: Buffer[] | undefined

  constructor() {
    this.bytes = undefined
    this.more = undefined
  }

  add(bytes: Buffer, start: number, end: number): void {
    if (start === end) return
    if (this.bytes === undefined) {
      this.bytes = bytes
      this.start = start
      this.end = end
    } else if (this.more === undefined && this.bytes === bytes && this.end === start) {
      this.end = end
    } else {
      this.more ??= []
      this.more.push(bytes.subarray(start, end))
    }
  }

  /** Bytes in all. */
  get length(): number {
    if (this.bytes === undefined) return 0
    let length = this.end - this.start
    if (this.more !== undefined) for (const slice of this.more) length += slice.length
    return length
  }

  giveTo(taker: SliceTaker, tap?: SliceTap): void {
    if (this.bytes === undefined) return
    if (tap !== undefined) this.#tapTo(tap, this.bytes)
    taker.body(this.bytes, this.start, this.end)
    if (this.more !== undefined) for (const slice of this.more) taker.body(slice, 0, slice.length)
    this.clear()
  }

  #tapTo(tap: SliceTap, bytes: Buffer): void {
    tap.add(bytes, this.start, this.end)
    if (this.more !== undefined) for (const slice of this.more) tap.add(slice, 0, slice.length)
  }

  /** Moves all of them into `target` from `start` on, where there must be room. */
  moveTo(target: Buffer, start: number): void {
    if (this.bytes === undefined) return
    let at = start + this.bytes.copy(target, start, this.start, this.end)
    if (this.more !== undefined) for (const slice of this.more) at += slice.copy(target, at)
    this.clear()
  }

  clear(): void {
    this.bytes = undefined
    this.more = undefined
  }
}
