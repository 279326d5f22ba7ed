// A field that is about to be written: where its bytes are, and the hashes by which a table finds it.
//
// The hash of a value is of a few of its bytes, spread over it: whoever finds something compares all of them anyway, and
// values that are the same in those few are compressed worse, not wrong.

import { viewOf } from './copy.ts'
import { type FieldName, knownName, nameHash } from './field-name.ts'

const NOTHING: Buffer = Buffer.alloc(0)
/** A value has this many bytes that count for its hash, or a few more. */
const SAMPLES_SHIFT = 3

export class FieldKey {
  /** Undefined for one that nobody knows. */
  known: FieldName | undefined = undefined
  /** May have capitals if it is not known. */
  name: Buffer = NOTHING
  nameStart = 0
  nameEnd = 0
  nameHash = 0
  bytes: Buffer = NOTHING
  /** The same bytes, for reading several at once; undefined if there is no view of them. */
  view: DataView | undefined = undefined
  start = 0
  end = 0
  /** Of name and value, after `hashValue`. */
  hash = 0
  #viewed: Buffer = NOTHING
  #view: DataView = viewOf(NOTHING)

  setKnown(known: FieldName): void {
    this.known = known
    this.name = known.bytes
    this.nameStart = 0
    this.nameEnd = known.bytes.length
    this.nameHash = known.hash
  }

  setName(bytes: Buffer, start: number, end: number): void {
    const hash = nameHash(bytes, start, end)
    const known = knownName(hash, bytes, start, end)
    if (known !== undefined) {
      this.setKnown(known)
      return
    }
    this.known = undefined
    this.name = bytes
    this.nameStart = start
    this.nameEnd = end
    this.nameHash = hash
  }

  /** There is a view of these bytes. */
  look(bytes: Buffer, view: DataView): void {
    this.#viewed = bytes
    this.#view = view
  }

  setValue(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes
    this.view = bytes === this.#viewed ? this.#view : undefined
    this.start = start
    this.end = end
  }

  hashValue(): void {
    const { bytes, start } = this
    const length = this.end - start
    const step = 1 + (length >> SAMPLES_SHIFT)
    let hash = this.nameHash ^ length
    for (let i = this.end - 1; i >= start; i -= step) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    this.hash = hash ^ (hash >>> 15)
  }

  get nameLength(): number {
    return this.nameEnd - this.nameStart
  }

  get valueLength(): number {
    return this.end - this.start
  }
}
