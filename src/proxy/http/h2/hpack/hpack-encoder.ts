// Writes header blocks (RFC 7541), with a dynamic table of what is likely to come again.
//
// To be filled in.

export class HpackEncoder {
  /** The block so far stands in `block` from 0 to `length`. */
  block: Buffer = Buffer.alloc(0)
  length = 0

  /** The dynamic table takes `most` bytes at most, and no more than the peer allows. */
  constructor(_most: number) {
    throw new Error('to be written')
  }

  /** Begins a block; a change of the table's size that is due stands first. */
  begin(): void {
    throw new Error('to be written')
  }

  /** A field as it stands in these bytes; the name may have capitals. `kind` is its code in http/fields.ts. */
  field(
    _bytes: Buffer,
    _nameStart: number,
    _nameEnd: number,
    _valueStart: number,
    _valueEnd: number,
    _kind: number,
  ): void {
    throw new Error('to be written')
  }

  /** `:status` of three digits. */
  status(_status: number): void {
    throw new Error('to be written')
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE has changed. */
  tableSize(_most: number): void {
    throw new Error('to be written')
  }
}
