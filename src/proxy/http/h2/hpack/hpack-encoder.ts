// Writes header blocks (RFC 7541), with a dynamic table of what is likely to come again.
//
// Strings are written as they are. The Huffman code saves about a quarter of their bytes, and takes both ends some 20 ns of
// CPU for each byte that it saves, at any length (64 bytes: 40 against 250 ns to write, 90 against 240 to read): more than
// that byte costs a network within a data centre, and TLS.
//
// What comes again is learnt by name: a name whose values are mostly new puts none into the table for a while, so that
// request ids, whatever they are called, do not push out what is worth its place. Names always get there, once. Which
// names are known for this, or are secrets, says field-name.ts.

import { QUESTION, ZERO } from '../../characters.ts'
import { Field } from '../../fields.ts'
import { lower } from '../../head.ts'
import { FIRST_TABLE_SIZE } from '../protocol.ts'
import { copyBytes, copyWords, viewOf } from './copy.ts'
import { EncoderTable } from './encoder-table.ts'
import { FieldKey } from './field-key.ts'
import { type FieldName, Indexing, NAMES_BY_KIND, NAMES_BY_PSEUDO } from './field-name.ts'
import { FIELD_OVERHEAD, Pseudo } from './header-field.ts'
import { LONGEST_INTEGER, writeInteger } from './integer.ts'
import { STATIC_ENTRIES, STATIC_FIELDS } from './static-table.ts'

const INDEXED = 0x80
const INCREMENTAL = 0x40
const RESIZE = 0x20
const NEVER_INDEXED = 0x10
const WITHOUT_INDEXING = 0x00

const FIRST_BYTES = 512
/** A block larger than this is let go of when the next one begins. */
const KEPT_BYTES = 16_384
/** Cookies shorter than this could be guessed. */
const SHORT_SECRET = 20

const PATH = NAMES_BY_PSEUDO[Pseudo.path]

/** Names share this many places to remember whether their values come again. */
const CREDITS = 64
const FIRST_CREDIT = 8
const MOST_CREDIT = 16
const HIT = 2
/** Without credit, one value of so many is tried all the same. */
const TRIES = 31

export class HpackEncoder {
  /** The block so far stands in `block` from 0 to `length`. */
  block: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  length = 0
  #view: DataView = viewOf(this.block)
  readonly #table: EncoderTable
  readonly #key = new FieldKey()
  readonly #digits = Buffer.alloc(3)
  /** By name: how often its values have come again of late. */
  readonly #credits = new Uint8Array(CREDITS).fill(FIRST_CREDIT)
  #tries = 0
  /** What we would use. */
  readonly #most: number
  /** The size that the table is to have, and the smallest it was to have since the last block. */
  #target: number
  #lowest: number

  /** The dynamic table takes `most` bytes at most, and no more than the peer allows. */
  constructor(most: number) {
    this.#table = new EncoderTable(FIRST_TABLE_SIZE)
    this.#most = most
    this.#target = Math.min(most, FIRST_TABLE_SIZE)
    this.#lowest = this.#target
  }

  /** Begins a block; a change of the table's size that is due stands first. */
  begin(): void {
    this.length = 0
    if (this.block.length > KEPT_BYTES) this.#renew(FIRST_BYTES)
    // RFC 7541 section 4.2: the smallest size in between counts too, because it evicted.
    if (this.#lowest < this.#table.capacity) this.#resize(this.#lowest)
    if (this.#target !== this.#table.capacity) this.#resize(this.#target)
    this.#lowest = this.#target
  }

  /** There is a view of these bytes: their fields are read several bytes at once. */
  look(bytes: Buffer, view: DataView): void {
    this.#key.look(bytes, view)
  }

  /** A field as it stands in these bytes; the name may have capitals. `kind` is its code in http/fields.ts. */
  field(
    bytes: Buffer,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    kind: number,
    isSensitive = false,
  ): void {
    const key = this.#key
    if (kind === Field.other) key.setName(bytes, nameStart, nameEnd)
    else key.setKnown(NAMES_BY_KIND[kind]!)
    key.setValue(bytes, valueStart, valueEnd)
    this.#write(key, isSensitive)
  }

  /** A pseudo-header field. */
  pseudo(pseudo: Pseudo, bytes: Buffer, start: number, end: number): void {
    const key = this.#key
    key.setKnown(NAMES_BY_PSEUDO[pseudo]!)
    key.setValue(bytes, start, end)
    this.#write(key, false)
  }

  /** `:status` of three digits. */
  status(status: number): void {
    const digits = this.#digits
    digits[0] = ZERO + Math.floor(status / 100)
    digits[1] = ZERO + (Math.floor(status / 10) % 10)
    digits[2] = ZERO + (status % 10)
    this.pseudo(Pseudo.status, digits, 0, digits.length)
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE has changed. */
  tableSize(most: number): void {
    this.#target = Math.min(this.#most, most)
    this.#lowest = Math.min(this.#lowest, this.#target)
  }

  #resize(capacity: number): void {
    this.#table.resize(capacity)
    this.#reserve(0)
    this.length = writeInteger(this.block, this.length, RESIZE, 0x1f, capacity)
  }

  #write(key: FieldKey, isSensitive: boolean): void {
    this.#reserve(key.nameLength + key.valueLength)
    const { known } = key
    const indexing = known === undefined ? Indexing.adaptive : known.indexing
    if (isSensitive || indexing >= Indexing.secretIfShort) {
      const isShort = key.valueLength < SHORT_SECRET
      if (isSensitive || indexing === Indexing.secret || isShort) {
        this.#literal(key, NEVER_INDEXED, 0x0f, this.#nameIndex(key))
        return
      }
    }
    if (indexing === Indexing.nameOnly) this.#writeUnique(key)
    else this.#writeAdaptive(key)
  }

  #writeUnique(key: FieldKey): void {
    const name = this.#nameIndex(key)
    if (name > 0 || !this.#fits(key)) this.#literal(key, WITHOUT_INDEXING, 0x0f, name)
    else {
      key.hashValue()
      this.#insert(key, name)
    }
  }

  #writeAdaptive(key: FieldKey): void {
    const found = this.#find(key)
    const place = key.nameHash & (CREDITS - 1)
    const credit = this.#credits[place]!
    if (found > 0) {
      this.length = writeInteger(this.block, this.length, INDEXED, 0x7f, found)
      if (found > STATIC_ENTRIES && credit < MOST_CREDIT) this.#credits[place] = credit + HIT
      return
    }
    const name = this.#nameIndex(key)
    const isWorth = credit > 0 || name === 0 || (++this.#tries & TRIES) === 0
    if (!isWorth || !this.#fits(key) || isQuery(key)) {
      this.#literal(key, WITHOUT_INDEXING, 0x0f, name)
      return
    }
    if (credit > 0) this.#credits[place] = credit - 1
    this.#insert(key, name)
  }

  /** The index of that name and value in both tables, or 0. */
  #find(key: FieldKey): number {
    const { known } = key
    if (known?.hasValues === true) {
      const index = staticIndex(known, key)
      if (index > 0) return index
    }
    const own = this.#table.find(key)
    return own === 0 ? 0 : STATIC_ENTRIES + own
  }

  #nameIndex(key: FieldKey): number {
    const { known } = key
    if (known !== undefined && known.first > 0) return known.first
    const own = this.#table.findName(key)
    return own === 0 ? 0 : STATIC_ENTRIES + own
  }

  /** One that takes half of the table would push out more than it is worth. */
  #fits(key: FieldKey): boolean {
    return (key.nameLength + key.valueLength + FIELD_OVERHEAD) * 2 <= this.#table.capacity
  }

  #insert(key: FieldKey, name: number): void {
    this.#literal(key, INCREMENTAL, 0x3f, name)
    this.#table.insert(key)
  }

  #literal(key: FieldKey, flags: number, mask: number, name: number): void {
    const { block } = this
    let at = writeInteger(block, this.length, flags, mask, name)
    if (name === 0) {
      at = writeInteger(block, at, 0, 0x7f, key.nameLength)
      for (let i = key.nameStart; i < key.nameEnd; i++) block[at++] = lower(key.name[i]!)
    }
    at = writeInteger(block, at, 0, 0x7f, key.valueLength)
    this.length =
      key.view === undefined
        ? copyBytes(key.bytes, key.start, key.end, block, at)
        : copyWords(key.view, key.start, key.end, this.#view, at)
  }

  /** Makes room for one more field of so many bytes. */
  #reserve(bytes: number): void {
    const length = this.length + bytes + 3 * LONGEST_INTEGER
    if (length <= this.block.length) return
    const { block } = this
    this.#renew(Math.max(length, block.length * 2))
    block.copy(this.block, 0, 0, this.length)
  }

  #renew(length: number): void {
    this.block = Buffer.allocUnsafeSlow(length)
    this.#view = viewOf(this.block)
  }
}

/** The index of the static entry with that value too, or 0. */
function staticIndex(known: FieldName, key: FieldKey): number {
  for (let index = known.first; index <= known.last; index++) {
    const field = STATIC_FIELDS[index]!
    const length = field.valueLength
    if (length !== key.valueLength) continue
    const start = field.nameLength + 2
    let i = 0
    while (i < length && field.bytes[start + i] === key.bytes[key.start + i]) i++
    if (i === length) return index
  }
  return 0
}

/** A path with a query, which comes again more rarely than others. */
function isQuery(key: FieldKey): boolean {
  if (key.known !== PATH) return false
  for (let i = key.start; i < key.end; i++) if (key.bytes[i] === QUESTION) return true
  return false
}
