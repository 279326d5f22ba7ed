// Values of fields that cannot be written where they came: those of pseudo-header fields, until their order is known,
// and the crumbs of a cookie, until there are no more. Copies, because a decoder uses its fields again.

import { SEMICOLON, SP } from '../characters.ts'
import type { HeadText } from './head-text.ts'
import { copyWords, viewOf } from './hpack/copy.ts'
import { type HeaderField, Pseudo } from './hpack/header-field.ts'

const FIRST_SIZE = 512
const LARGE = 8 * FIRST_SIZE

export class Values {
  view: DataView = viewOf(Buffer.allocUnsafeSlow(FIRST_SIZE))
  length = 0
  /** By pseudo-header field, for those that were kept. */
  readonly starts: Int32Array = new Int32Array(Pseudo.unknown)
  readonly ends: Int32Array = new Int32Array(Pseudo.unknown)

  begin(): void {
    this.length = 0
    if (this.view.byteLength > LARGE) this.view = viewOf(Buffer.allocUnsafeSlow(FIRST_SIZE))
  }

  keep(pseudo: Pseudo, field: HeaderField): void {
    this.starts[pseudo] = this.length
    this.#append(field)
    this.ends[pseudo] = this.length
  }

  /** What was kept goes into the text. */
  write(pseudo: Pseudo, text: HeadText): void {
    const start = this.starts[pseudo]!
    text.copy(this.view, start, this.ends[pseudo]! - start)
  }

  /** RFC 9113 section 8.2.3: `; ` between one and the next. */
  join(field: HeaderField): void {
    if (this.length > 0) {
      this.#reserve(2)
      this.view.setUint8(this.length++, SEMICOLON)
      this.view.setUint8(this.length++, SP)
    }
    this.#append(field)
  }

  #append({ view, start, nameLength, valueLength }: HeaderField): void {
    this.#reserve(valueLength)
    const from = start + nameLength + 2
    this.length = copyWords(view, from, from + valueLength, this.view, this.length)
  }

  #reserve(size: number): void {
    const needed = this.length + size
    if (needed <= this.view.byteLength) return
    const view = viewOf(Buffer.allocUnsafeSlow(2 * needed))
    copyWords(this.view, 0, this.length, view, 0)
    this.view = view
  }
}
