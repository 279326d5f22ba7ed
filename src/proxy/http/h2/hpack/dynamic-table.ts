// The dynamic table as a decoder keeps it (RFC 7541 sections 2.3.2 and 4): a ring of fields, their lines one behind the
// other in one buffer.
//
// Lines are added at the buffer's end and let go of at its beginning; where it is full, what is left moves to the front
// of it, or of one twice as large. So a table allocates only while it grows.

import { copyWords, viewOf } from './copy.ts'
import { HeaderField, LINE_OVERHEAD } from './header-field.ts'

const NOTHING: Buffer = Buffer.alloc(0)
const NO_VIEW: DataView = viewOf(NOTHING)
const FIRST_ENTRIES = 16
const FIRST_BYTES = 1024

export class DynamicTable {
  /** How many fields there are. */
  count = 0
  /** The most that the sizes of all fields may come to. */
  capacity: number
  /** The sum of the sizes of the fields. */
  #size = 0
  /** A power of two of them, those that are not in use too. */
  #ring: HeaderField[] = []
  /** Where the next field goes; the newest is before it. */
  #next = 0
  #lines: Buffer = NOTHING
  #view: DataView = NO_VIEW
  #linesEnd = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** The newest is at 0. The index must be below `count`. */
  at(index: number): HeaderField {
    return this.#ring[(this.#next - 1 - index) & (this.#ring.length - 1)]!
  }

  /** RFC 7541 section 4.3. */
  resize(capacity: number): void {
    this.capacity = capacity
    this.#makeRoom(0)
    if (capacity === 0) {
      this.#lines = NOTHING
      this.#view = NO_VIEW
      this.#linesEnd = 0
    }
  }

  /** Adds a copy. One that is larger than the table empties it, and is not in it (RFC 7541 section 4.4). */
  insert(field: HeaderField): void {
    const size = field.size
    this.#makeRoom(size)
    if (size > this.capacity) return
    if (this.count === this.#ring.length) this.#growRing()
    const length = field.nameLength + field.valueLength + LINE_OVERHEAD
    if (this.#linesEnd + length > this.#lines.length) this.#moveLines(length)
    const entry = this.#ring[this.#next]!
    entry.nameLike(field)
    entry.valueLength = field.valueLength
    entry.refusal = field.refusal
    entry.bytes = this.#lines
    entry.view = this.#view
    entry.start = this.#linesEnd
    const { view, start } = field
    this.#linesEnd = copyWords(view, start, start + length, this.#view, this.#linesEnd)
    this.#next = (this.#next + 1) & (this.#ring.length - 1)
    this.#size += size
    this.count++
  }

  /** Empties it, as a field does that is larger than any that it takes. */
  clear(): void {
    this.count = 0
    this.#size = 0
  }

  /** Evicts the oldest until `more` fits, or nothing is left. */
  #makeRoom(more: number): void {
    while (this.count > 0 && this.#size + more > this.capacity) {
      this.#size -= this.at(this.count - 1).size
      this.count--
    }
  }

  #growRing(): void {
    const ring: HeaderField[] = []
    for (let i = this.count - 1; i >= 0; i--) ring.push(this.at(i))
    const length = Math.max(FIRST_ENTRIES, this.count * 2)
    while (ring.length < length) ring.push(new HeaderField(NOTHING, NO_VIEW))
    this.#ring = ring
    this.#next = this.count
  }

  /** Makes room for `more` bytes behind the lines. */
  #moveLines(more: number): void {
    const from = this.count === 0 ? this.#linesEnd : this.at(this.count - 1).start
    const used = this.#linesEnd - from
    let length = Math.max(FIRST_BYTES, this.#lines.length)
    // Less than half of it in use, so that moving is worth it.
    while ((used + more) * 2 > length) length *= 2
    const isLarger = length > this.#lines.length
    const lines = isLarger ? Buffer.allocUnsafeSlow(length) : this.#lines
    const view = isLarger ? viewOf(lines) : this.#view
    this.#lines.copy(lines, 0, from, this.#linesEnd)
    for (let i = 0; i < this.count; i++) {
      const entry = this.at(i)
      entry.bytes = lines
      entry.view = view
      entry.start -= from
    }
    this.#lines = lines
    this.#view = view
    this.#linesEnd = used
  }
}
