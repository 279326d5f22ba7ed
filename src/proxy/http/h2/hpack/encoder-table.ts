// The dynamic table as an encoder keeps it (RFC 7541 section 2.3.2): the bytes of its fields in one buffer, their
// measures in one array, found by the hash of the name, or of name and value.
//
// Entries are numbered as they come. Those of one bucket are chained from the newest to the oldest, so that a chain ends
// where it comes to one that was evicted, and nothing is ever unlinked. How far a chain is followed is bounded: who
// sends many fields of one hash is compressed worse.

import { lower } from '../../head.ts'
import { copyBytes, copyWords, viewOf } from './copy.ts'
import type { FieldKey } from './field-key.ts'
import { FIELD_OVERHEAD } from './header-field.ts'

const NOTHING: Buffer = Buffer.alloc(0)
const NO_NUMBERS: Int32Array = new Int32Array(0)
const FIRST_PLACES = 16
const FIRST_BYTES = 1024
const LONGEST_CHAIN = 4
const RECENT = 64
/** Numbers begin again before they outgrow the engine's small integers. */
const LAST_NUMBER = 0x3fff_ffff

// What the array has of an entry. Names have ids if they are known.
const START = 0
const NAME_LENGTH = 1
const VALUE_LENGTH = 2
const NAME_ID = 3
const NAME_HASH = 4
const HASH = 5
/** The entry before it in its bucket, by name and by both. */
const NEXT_NAME = 6
const NEXT = 7
const SHIFT = 3

export class EncoderTable {
  capacity: number
  size = 0
  /** The number of the last entry, and of the last one that is gone. Numbers begin at 1. */
  #newest: number
  #evicted: number
  /** An entry's place is the low bits of its number. */
  #mask = -1
  #entries: Int32Array = NO_NUMBERS
  /** By the low bits of a hash: the newest entry in that bucket. */
  #byName: Int32Array = NO_NUMBERS
  #byField: Int32Array = NO_NUMBERS
  /** By name, as few as they may be: the entry that was found last. Most values are those of the message before. */
  readonly #recent = new Int32Array(RECENT)
  #bytes: Buffer = NOTHING
  #view: DataView = viewOf(NOTHING)
  #bytesEnd = 0

  /** Entries are numbered from behind `last` on, which matters to nobody but a test. */
  constructor(capacity: number, last = 0) {
    this.capacity = capacity
    this.#newest = last
    this.#evicted = last
  }

  get count(): number {
    return this.#newest - this.#evicted
  }

  /** The index of that field, from 1 for the newest one, or 0 if it is not there. Hashes its value. */
  find(key: FieldKey): number {
    const recent = key.nameHash & (RECENT - 1)
    const last = this.#recent[recent]!
    if (last > this.#evicted && this.#isAt((last & this.#mask) << SHIFT, key)) {
      return this.#newest - last + 1
    }
    key.hashValue()
    const entry = this.#search(key)
    if (entry === 0) return 0
    this.#recent[recent] = entry
    return this.#newest - entry + 1
  }

  #search(key: FieldKey): number {
    if (this.#newest === this.#evicted) return 0
    const entries = this.#entries
    let entry = this.#byField[key.hash & this.#mask]!
    for (let steps = 0; entry > this.#evicted && steps < LONGEST_CHAIN; steps++) {
      const at = (entry & this.#mask) << SHIFT
      if (entries[at + HASH] === key.hash && this.#isAt(at, key)) return entry
      entry = entries[at + NEXT]!
    }
    return 0
  }

  /** The same for any field of that name. */
  findName(key: FieldKey): number {
    if (this.#newest === this.#evicted) return 0
    const entries = this.#entries
    let entry = this.#byName[key.nameHash & this.#mask]!
    for (let steps = 0; entry > this.#evicted && steps < LONGEST_CHAIN; steps++) {
      const at = (entry & this.#mask) << SHIFT
      if (this.#hasName(at, key)) return this.#newest - entry + 1
      entry = entries[at + NEXT_NAME]!
    }
    return 0
  }

  /** Adds a field that is no larger than the capacity. */
  insert(key: FieldKey): void {
    const length = key.nameLength + key.valueLength
    this.#makeRoom(length + FIELD_OVERHEAD)
    if (this.count > this.#mask || this.#newest >= LAST_NUMBER) this.#renumber()
    if (this.#bytesEnd + length > this.#bytes.length) this.#moveBytes(length)
    const entry = ++this.#newest
    const at = (entry & this.#mask) << SHIFT
    const entries = this.#entries
    entries[at + START] = this.#bytesEnd
    entries[at + NAME_LENGTH] = key.nameLength
    entries[at + VALUE_LENGTH] = key.valueLength
    entries[at + NAME_ID] = key.known === undefined ? 0 : key.known.id
    entries[at + NAME_HASH] = key.nameHash
    entries[at + HASH] = key.hash
    const { name } = key
    for (let i = key.nameStart; i < key.nameEnd; i++)
      this.#bytes[this.#bytesEnd++] = lower(name[i]!)
    this.#bytesEnd =
      key.view === undefined
        ? copyBytes(key.bytes, key.start, key.end, this.#bytes, this.#bytesEnd)
        : copyWords(key.view, key.start, key.end, this.#view, this.#bytesEnd)
    this.size += length + FIELD_OVERHEAD
    this.#link(entry)
    this.#recent[key.nameHash & (RECENT - 1)] = entry
  }

  /** RFC 7541 section 4.3. */
  resize(capacity: number): void {
    this.capacity = capacity
    this.#makeRoom(0)
  }

  #isAt(at: number, key: FieldKey): boolean {
    return this.#hasName(at, key) && this.#hasValue(at, key)
  }

  #hasName(at: number, key: FieldKey): boolean {
    const entries = this.#entries
    if (key.known !== undefined) return entries[at + NAME_ID] === key.known.id
    const length = key.nameLength
    if (entries[at + NAME_HASH] !== key.nameHash || entries[at + NAME_LENGTH] !== length)
      return false
    const { name, nameStart } = key
    const own = entries[at + START]!
    for (let i = 0; i < length; i++) {
      if (this.#bytes[own + i] !== lower(name[nameStart + i]!)) return false
    }
    return true
  }

  #hasValue(at: number, key: FieldKey): boolean {
    const entries = this.#entries
    const length = key.valueLength
    if (entries[at + VALUE_LENGTH] !== length) return false
    const { bytes, view, start } = key
    const from = entries[at + START]! + entries[at + NAME_LENGTH]!
    let i = 0
    if (view !== undefined) {
      const own = this.#view
      for (; i <= length - 4; i += 4) {
        if (own.getInt32(from + i, true) !== view.getInt32(start + i, true)) return false
      }
    }
    const own = this.#bytes
    for (; i < length; i++) if (own[from + i] !== bytes[start + i]) return false
    return true
  }

  #makeRoom(more: number): void {
    while (this.#newest > this.#evicted && this.size + more > this.capacity) {
      const at = (++this.#evicted & this.#mask) << SHIFT
      this.size -=
        this.#entries[at + NAME_LENGTH]! + this.#entries[at + VALUE_LENGTH]! + FIELD_OVERHEAD
    }
  }

  #link(entry: number): void {
    const entries = this.#entries
    const at = (entry & this.#mask) << SHIFT
    const name = entries[at + NAME_HASH]! & this.#mask
    const field = entries[at + HASH]! & this.#mask
    entries[at + NEXT_NAME] = this.#byName[name]!
    entries[at + NEXT] = this.#byField[field]!
    this.#byName[name] = entry
    this.#byField[field] = entry
  }

  /** Numbers the entries anew, from 1, and makes room for as many again. */
  #renumber(): void {
    const { count } = this
    const old = this.#entries
    const oldMask = this.#mask
    const oldest = this.#evicted + 1
    let places = FIRST_PLACES
    while (places <= count) places *= 2
    this.#mask = places - 1
    this.#entries = new Int32Array(places << SHIFT)
    this.#byName = new Int32Array(places)
    this.#byField = new Int32Array(places)
    this.#evicted = 0
    this.#newest = count
    this.#recent.fill(0)
    for (let i = 0; i < count; i++) {
      const from = ((oldest + i) & oldMask) << SHIFT
      this.#entries.set(old.subarray(from, from + (1 << SHIFT)), (i + 1) << SHIFT)
      this.#link(i + 1)
    }
  }

  /** Makes room for `more` bytes behind those that there are. */
  #moveBytes(more: number): void {
    const oldest = this.#evicted + 1
    const isEmpty = this.#newest === this.#evicted
    const from = isEmpty ? this.#bytesEnd : this.#entries[((oldest & this.#mask) << SHIFT) + START]!
    const used = this.#bytesEnd - from
    let length = Math.max(FIRST_BYTES, this.#bytes.length)
    // Less than half of it in use, so that moving is worth it.
    while ((used + more) * 2 > length) length *= 2
    const old = this.#bytes
    if (length > old.length) {
      this.#bytes = Buffer.allocUnsafeSlow(length)
      this.#view = viewOf(this.#bytes)
    }
    old.copy(this.#bytes, 0, from, this.#bytesEnd)
    for (let entry = oldest; entry <= this.#newest; entry++) {
      this.#entries[((entry & this.#mask) << SHIFT) + START]! -= from
    }
    this.#bytesEnd = used
  }
}
