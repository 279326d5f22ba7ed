// Reads header blocks (RFC 7541): gives their fields to a sink, and keeps the dynamic table in step with the peer's.
//
// To be filled in.

import type { FieldSink } from './header-field.ts'

/** What became of a block. */
export const Decoded = {
  ok: 0,
  /** RFC 7541 and RFC 9113 section 4.3: a connection error of type COMPRESSION_ERROR. */
  wrong: 1,
} as const
export type Decoded = (typeof Decoded)[keyof typeof Decoded]

export class HpackDecoder {
  /** `tableSize` is what our SETTINGS_HEADER_TABLE_SIZE says. */
  constructor(_tableSize: number) {
    throw new Error('to be written')
  }

  /** The peer has acknowledged another SETTINGS_HEADER_TABLE_SIZE. */
  tableSize(_most: number): void {
    throw new Error('to be written')
  }

  /** One whole block. */
  decode(_bytes: Buffer, _start: number, _end: number, _sink: FieldSink): Decoded {
    throw new Error('to be written')
  }
}
