// The text of a head that never was any: written line by line into a buffer that belongs to the head, with the spans
// that a reader of HTTP/1.1 would have found.
//
// The buffer is used again for the next message of the same head, and grows as far as the limits of whoever writes let
// it. What may stand in a line is left to the callers.

import { CR, LF, ZERO } from '../characters.ts'
import { Field } from '../fields.ts'
import { Head } from '../head.ts'
import { copyBytes, copyWords } from './hpack/copy.ts'
import type { HeaderField } from './hpack/header-field.ts'

const FIRST_SIZE = 512
/** A head that grew over this does not keep its buffer while nothing is received. */
const KEPT = 8 * FIRST_SIZE
/** A colon and a space stand before the value, CRLF after it. */
const BEFORE_VALUE = 2
const AROUND = 4

export class HeadText {
  #head: Head
  #bytes: Buffer
  #view: DataView
  /** How much is written. */
  end = 0

  constructor() {
    this.#head = new Head()
    this.#bytes = this.#head.bytes
    this.#view = this.#head.view
  }

  begin(head: Head): void {
    this.#head = head
    // Whatever else it looked at belongs to a reader.
    const isOwn = head.isStable && head.bytes.length > 0
    this.#bytes = isOwn ? head.bytes : Buffer.allocUnsafeSlow(FIRST_SIZE)
    this.end = 0
    head.begin(this.#bytes, 0)
    this.#view = head.view
    head.isStable = true
  }

  /** Writes a whole field line, and counts it among the head's fields. */
  line(field: HeaderField): void {
    const name = this.end
    const nameEnd = name + field.nameLength
    const value = nameEnd + BEFORE_VALUE
    this.copy(field.view, field.start, field.nameLength + field.valueLength + AROUND)
    if (field.isSensitive) this.#head.markSensitive(this.#head.count)
    this.count(name, nameEnd, value, value + field.valueLength, field.kind)
  }

  /** The same of a name with colon and space, and a value, that lie in different places. */
  pair(name: DataView, values: DataView, from: number, to: number, kind: number): void {
    const start = this.end
    const value = start + name.byteLength
    this.copy(name, 0, name.byteLength)
    this.copy(values, from, to - from)
    this.crlf()
    this.count(start, value - BEFORE_VALUE, value, value + to - from, kind)
  }

  copy(from: DataView, start: number, length: number): void {
    this.place(from, start, length)
    this.end += length
  }

  /** Puts bytes behind what is written, where the next that are written replace them. */
  place(from: DataView, start: number, length: number): void {
    this.#reserve(length)
    copyWords(from, start, start + length, this.#view, this.end)
  }

  /** All of what there is no view of. */
  bytes(from: Buffer): void {
    this.#reserve(from.length)
    this.end = copyBytes(from, 0, from.length, this.#bytes, this.end)
  }

  byte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.end++] = byte
  }

  crlf(): void {
    this.#reserve(2)
    this.#bytes[this.end++] = CR
    this.#bytes[this.end++] = LF
  }

  /** What stands there is the next field. */
  count(name: number, nameEnd: number, value: number, valueEnd: number, kind: number): void {
    const head = this.#head
    head.reserve()
    const index = head.count
    const { spans } = head
    spans[index * 4] = name
    spans[index * 4 + 1] = nameEnd
    spans[index * 4 + 2] = value
    spans[index * 4 + 3] = valueEnd
    head.kinds[index] = kind
    head.count = index + 1
    if (kind === Field.other) return
    const bit = 1 << kind
    if ((head.seen & bit) === 0) head.firsts[kind] = index
    else head.repeated |= bit
    head.seen |= bit
  }

  /** A whole number, not negative. */
  number(value: number): void {
    let size = 1
    for (let power = 10; power <= value; power *= 10) size++
    this.#reserve(size)
    let rest = value
    for (let at = this.end + size - 1; at >= this.end; at--) {
      const next = Math.floor(rest / 10)
      this.#bytes[at] = ZERO + (rest - next * 10)
      rest = next
    }
    this.end += size
  }

  /** Latin-1 only. */
  string(text: string): void {
    this.#reserve(text.length)
    for (let i = 0; i < text.length; i++) this.#bytes[this.end++] = text.charCodeAt(i)
  }

  #reserve(length: number): void {
    if (this.end + length > this.#bytes.length) this.#grow(this.end + length)
  }

  #grow(size: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, size))
    this.#bytes.copy(bytes, 0, 0, this.end)
    this.#bytes = bytes
    this.#head.look(bytes)
    this.#view = this.#head.view
  }
}

/** Nobody needs the head any more, and none is expected soon: gives back what a large one has taken. */
export function restHead(head: Head): void {
  if (head.bytes.length > KEPT) head.release()
}
