// Writes a head as a header block (RFC 9113 section 8): pseudo-header fields first, names in lower case, without what
// belongs to one HTTP/1.1 hop, with what the caller adds.
//
// To be filled in.

import type { Head } from '../head.ts'
import type { HeadOutput } from '../head-output.ts'

export class HeadEncoder implements HeadOutput {
  /** The block, after `finish`: in `block`, from 0 to `length`. Good until the next head begins. */
  block: Buffer = Buffer.alloc(0)
  length = 0

  /** Begins a request. `cut` has the recognised fields to take out; those nominated, and those of the hop, always go. */
  request(_head: Head, _cut: number): void {
    throw new Error('to be written')
  }

  /** Begins a response. */
  response(_head: Head, _cut: number): void {
    throw new Error('to be written')
  }

  /** Begins a response of our own, with no field but its status. */
  status(_status: number): void {
    throw new Error('to be written')
  }

  /** Begins a trailer section; without a head an empty one, to be added to. */
  trailers(_head: Head | undefined): void {
    throw new Error('to be written')
  }

  add(_name: string, _value: string): void {
    throw new Error('to be written')
  }

  addLines(_lines: Buffer): void {
    throw new Error('to be written')
  }

  addNumber(_before: Buffer, _value: number, _after: Buffer): void {
    throw new Error('to be written')
  }

  /** Ends the block. False if something added could break it: then there is none. */
  finish(): boolean {
    throw new Error('to be written')
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, acknowledged by us. */
  tableSize(_most: number): void {
    throw new Error('to be written')
  }
}
