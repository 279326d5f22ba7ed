// Reads header blocks (RFC 7541): gives their fields to a sink, and keeps the dynamic table in step with the peer's.
//
// A block can stand for much more than its own length, as one byte is enough for a field out of a table. So it is
// counted: from the field on that is too much, nothing is handed out, and what goes into no table is passed over. The
// rest of the block then costs no more than its length, which the connection bounds, and the table is still in step: the
// message is refused, the connection need not be ended.

import { DEFAULT_H2_LIMITS } from '../h2-limits.ts'
import { FIRST_TABLE_SIZE } from '../protocol.ts'
import { DynamicTable } from './dynamic-table.ts'
import type { FieldSink, HeaderField } from './header-field.ts'
import { Cursor } from './integer.ts'
import { LiteralReader } from './literal-reader.ts'
import { STATIC_ENTRIES, STATIC_FIELDS } from './static-table.ts'

/** What became of a block. */
export const Decoded = {
  ok: 0,
  /** RFC 7541 and RFC 9113 section 4.3: a connection error of type COMPRESSION_ERROR. */
  wrong: 1,
  /** There are more fields, or more bytes in them, than are taken. The sink has not seen all; the connection may go on. */
  tooLarge: 2,
} as const
export type Decoded = (typeof Decoded)[keyof typeof Decoded]

/** How much of one header list is handed out, and counted as SETTINGS_MAX_HEADER_LIST_SIZE is (RFC 9113 section 6.5.2). */
export interface ListLimits {
  readonly maxHeaderListSize: number
  readonly maxHeaderFields: number
}

const INDEXED = 0x80
const INCREMENTAL = 0x40
const RESIZE = 0x20
const NEVER_INDEXED = 0x10
const NO_RESIZE = -1

export class HpackDecoder {
  readonly #table = new DynamicTable(FIRST_TABLE_SIZE)
  readonly #cursor = new Cursor()
  readonly #literal: LiteralReader
  readonly #mostSize: number
  readonly #mostFields: number
  /** The most that the peer may make of the table. */
  #mostTable: number
  /** The peer has to make the table this small before anything else; or NO_RESIZE. */
  #due = NO_RESIZE
  #size = 0
  #fields = 0
  #isTooLarge = false

  /**
   * `tableSize` is what our SETTINGS_HEADER_TABLE_SIZE says. One below 4096 is in force only from the peer's
   * acknowledgement on: tell it by `tableSize` then.
   */
  constructor(tableSize: number, limits: ListLimits = DEFAULT_H2_LIMITS) {
    this.#mostTable = Math.max(tableSize, FIRST_TABLE_SIZE)
    this.#mostSize = limits.maxHeaderListSize
    this.#mostFields = limits.maxHeaderFields
    this.#literal = new LiteralReader(Math.max(this.#mostTable, this.#mostSize))
  }

  /**
   * The peer has acknowledged another SETTINGS_HEADER_TABLE_SIZE, no larger than the one at the start or 4096. If its
   * table is larger than that, its next block must begin by making it smaller (RFC 7541 section 4.2).
   */
  tableSize(most: number): void {
    this.#mostTable = most
    if (most < this.#table.capacity && (this.#due === NO_RESIZE || most < this.#due)) {
      this.#due = most
    }
  }

  /** One whole block. */
  decode(bytes: Buffer, start: number, end: number, sink: FieldSink): Decoded {
    const cursor = this.#cursor
    cursor.begin(bytes, start, end)
    this.#begin()
    const isRead = this.#resizes(cursor) && this.#read(cursor, sink)
    this.#literal.end()
    if (!isRead) return Decoded.wrong
    return this.#isTooLarge ? Decoded.tooLarge : Decoded.ok
  }

  #begin(): void {
    this.#size = 0
    this.#fields = 0
    this.#isTooLarge = false
  }

  /** RFC 7541 section 4.2: updates of the table's size stand before everything else. */
  #resizes(cursor: Cursor): boolean {
    while (cursor.at < cursor.end && (cursor.bytes[cursor.at]! & 0xe0) === RESIZE) {
      const capacity = cursor.integer(0x1f)
      if (capacity < 0 || capacity > this.#mostTable) return false
      if (capacity <= this.#due) this.#due = NO_RESIZE
      this.#table.resize(capacity)
    }
    return this.#due === NO_RESIZE
  }

  #read(cursor: Cursor, sink: FieldSink): boolean {
    while (cursor.at < cursor.end) {
      const first = cursor.bytes[cursor.at]!
      if (first >= INDEXED) {
        const field = this.#at(cursor.integer(0x7f))
        if (field === undefined) return false
        this.#give(field, sink)
      } else if (first >= INCREMENTAL) {
        if (!this.#readLiteral(cursor, 0x3f)) return false
        this.#literal.field.isSensitive = false
        this.#giveLiteral(sink)
        this.#insert()
      } else if (first >= RESIZE) {
        return false
      } else if (this.#isTooLarge) {
        if (!this.#skipLiteral(cursor)) return false
      } else {
        if (!this.#readLiteral(cursor, 0x0f)) return false
        this.#literal.field.isSensitive = first >= NEVER_INDEXED
        this.#giveLiteral(sink)
      }
    }
    return true
  }

  /** RFC 7541 section 2.3.3; undefined if there is none. */
  #at(index: number): HeaderField | undefined {
    if (index > STATIC_ENTRIES) {
      const own = index - STATIC_ENTRIES - 1
      return own < this.#table.count ? this.#table.at(own) : undefined
    }
    return index > 0 ? STATIC_FIELDS[index] : undefined
  }

  #readLiteral(cursor: Cursor, mask: number): boolean {
    const index = cursor.integer(mask)
    const literal = this.#literal
    if (index === 0) return literal.name(cursor) && literal.value(cursor)
    const named = this.#at(index)
    if (named === undefined) return false
    literal.nameOf(named)
    return literal.value(cursor)
  }

  #skipLiteral(cursor: Cursor): boolean {
    const index = cursor.integer(0x0f)
    if (index === 0) return this.#literal.skip(cursor) && this.#literal.skip(cursor)
    return this.#at(index) !== undefined && this.#literal.skip(cursor)
  }

  #giveLiteral(sink: FieldSink): void {
    // One that is too long for the reader is larger than all that is handed out.
    this.#give(this.#literal.field, sink)
  }

  #give(field: HeaderField, sink: FieldSink): void {
    this.#size += field.size
    this.#fields++
    if (this.#size > this.#mostSize || this.#fields > this.#mostFields) this.#isTooLarge = true
    if (!this.#isTooLarge) sink.field(field)
  }

  #insert(): void {
    if (this.#literal.isTooLong) this.#table.clear()
    else this.#table.insert(this.#literal.field)
  }
}
