// Reads fields that stand in a block themselves (RFC 7541 section 6.2) into one object, which is used again for each,
// as a line of its own, judged.
//
// A name or value that is longer than any that is taken is passed over: its length is known then, and nothing else. What
// is in a table, and what goes there, is left to the decoder.

import { copyWords, viewOf } from './copy.ts'
import { HeaderField, LINE_OVERHEAD } from './header-field.ts'
import { HuffmanDecoder, mostLength } from './huffman-decoder.ts'
import type { Cursor } from './integer.ts'
import { judgeName, judgeValue } from './judgement.ts'
import { ALL_OCTETS, OCTETS } from './octets.ts'

const HUFFMAN = 0x80
const LENGTH = 0x7f
const FIRST_BYTES = 512
/** More than this is let go of when it is no longer needed. */
const KEPT_BYTES = 8192
/** The Huffman decoder writes two bytes too many. */
const SLACK = 2

const SPACES = 0x20202020
const ONES = 0x01010101
const DELETES = 0x7f7f7f7f
const TOPS = 0x80808080 | 0

const WRONG = -1

export class LiteralReader {
  readonly field: HeaderField = new HeaderField(Buffer.allocUnsafeSlow(FIRST_BYTES))
  /** The name or the value was longer than what is taken: `field` has their lengths, and nothing else of it is good. */
  isTooLong = false
  readonly #most: number
  readonly #huffman = new HuffmanDecoder()
  /** Of the string that was read last. */
  #octets = 0

  /** Names and values of `most` bytes are taken. */
  constructor(most: number) {
    this.#most = most
  }

  /** Begins a field with the name of another. */
  nameOf(other: HeaderField): void {
    this.#begin()
    const { field } = this
    field.nameLike(other)
    this.#reserve(other.nameLength + LINE_OVERHEAD, 0)
    copyWords(other.view, other.start, other.start + other.nameLength, field.view, 0)
  }

  /** Begins a field with the name at the cursor. False if that is no string. */
  name(cursor: Cursor): boolean {
    this.#begin()
    const length = this.#string(cursor, 0)
    if (length < 0) return false
    this.field.nameLength = length
    if (!this.isTooLong) judgeName(this.field, this.#octets)
    return true
  }

  /** Ends the field with the value at the cursor. False if that is no string. */
  value(cursor: Cursor): boolean {
    const { field } = this
    const isNameless = this.isTooLong
    const start = isNameless ? 0 : field.nameLength + 2
    const length = this.#string(cursor, start)
    if (length < 0) return false
    field.valueLength = length
    if (this.isTooLong) return true
    const { bytes } = field
    bytes[start - 2] = 0x3a
    bytes[start - 1] = 0x20
    bytes[start + length] = 0x0d
    bytes[start + length + 1] = 0x0a
    judgeValue(field, this.#octets)
    return true
  }

  /** Passes over a string without looking at it. False if it is not all there. */
  skip(cursor: Cursor): boolean {
    if (cursor.at >= cursor.end) return false
    const length = cursor.integer(LENGTH)
    if (length < 0 || length > cursor.end - cursor.at) return false
    cursor.at += length
    return true
  }

  /** Lets go of what one large field took. */
  end(): void {
    if (this.field.bytes.length > KEPT_BYTES) this.#renew(FIRST_BYTES)
  }

  #begin(): void {
    this.isTooLong = false
  }

  /** Reads a string (RFC 7541 section 5.2) to `to` of the field's bytes. Gives its length, or -1. */
  #string(cursor: Cursor, to: number): number {
    if (cursor.at >= cursor.end) return WRONG
    const isHuffman = cursor.bytes[cursor.at]! >= HUFFMAN
    const length = cursor.integer(LENGTH)
    if (length < 0 || length > cursor.end - cursor.at) return WRONG
    const start = cursor.at
    cursor.at += length
    if (isHuffman) return this.#readHuffman(cursor.bytes, start, cursor.at, to)
    if (length > this.#most) {
      this.isTooLong = true
      return length
    }
    this.#reserve(to + length + LINE_OVERHEAD, to)
    if (to === 0) this.#readName(cursor.bytes, start, cursor.at)
    else this.#readValue(cursor, start, cursor.at, to)
    return length
  }

  #readName(from: Buffer, start: number, end: number): void {
    const { bytes } = this.field
    let octets = ALL_OCTETS
    for (let i = start; i < end; i++) {
      octets &= OCTETS[from[i]!]!
      bytes[i - start] = from[i]!
    }
    this.#octets = octets
  }

  /** Four bytes a step: most values have nothing in them but what may be there. */
  #readValue(cursor: Cursor, start: number, end: number, to: number): void {
    const from = cursor.view
    const { view } = this.field
    let odd = 0
    let at = start
    let into = to
    for (const last = end - 4; at <= last; at += 4, into += 4) {
      const word = from.getInt32(at, true)
      odd |= oddOf(word)
      view.setInt32(into, word, true)
    }
    let octets = ALL_OCTETS
    for (; at < end; at++, into++) {
      const byte = from.getUint8(at)
      octets &= OCTETS[byte]!
      view.setUint8(into, byte)
    }
    if ((odd & TOPS) !== 0) {
      for (let i = start; i < end; i++) octets &= OCTETS[cursor.bytes[i]!]!
    }
    this.#octets = octets
  }

  #readHuffman(from: Uint8Array, start: number, end: number, to: number): number {
    let most = mostLength(end - start)
    if (most > this.#most) {
      most = this.#huffman.length(from, start, end)
      if (most < 0) return WRONG
      if (most > this.#most) {
        this.isTooLong = true
        return most
      }
    }
    this.#reserve(to + most + LINE_OVERHEAD + SLACK, to)
    const position = this.#huffman.read(from, start, end, this.field.bytes, to)
    this.#octets = this.#huffman.octets
    return position < 0 ? WRONG : position - to
  }

  /** Makes room for so many bytes; those before `used` stay. */
  #reserve(length: number, used: number): void {
    const { bytes } = this.field
    if (length <= bytes.length) return
    this.#renew(Math.max(length, bytes.length * 2))
    bytes.copy(this.field.bytes, 0, 0, used)
  }

  #renew(length: number): void {
    this.field.bytes = Buffer.allocUnsafeSlow(length)
    this.field.view = viewOf(this.field.bytes)
  }
}

/** The top bit of a byte is set if it is below a space, or a DEL; or if the byte before it is. */
function oddOf(word: number): number {
  return ((word - SPACES) | ((word ^ DELETES) - ONES)) & ~word
}
