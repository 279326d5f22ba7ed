// One header field as HPACK knows it: a name and a value that stand as `name: value` and CRLF, ready to be copied into
// a head (http/head.ts), and what is known of it without reading it again.
//
// Those in a table are made, and judged, once, however often they are used. Literals that go into no table are all
// read into one and the same object. A table uses the objects and bytes of what it evicts again. So each is good only
// while the decoder hands it out.

import { Refusal } from '../../refusal.ts'
import { viewOf } from './copy.ts'

/** RFC 9113 section 8.3: what a name that begins with a colon stands for. */
export const Pseudo = {
  none: 0,
  method: 1,
  scheme: 2,
  authority: 3,
  path: 4,
  status: 5,
  /** One that nobody defined. */
  unknown: 6,
} as const
export type Pseudo = (typeof Pseudo)[keyof typeof Pseudo]

/** RFC 7541 section 4.1: what a field counts besides its bytes. */
export const FIELD_OVERHEAD = 32

/** What stands between the name and the value, and after it. */
export const LINE_OVERHEAD = 4

export class HeaderField {
  /** The line begins at `start`: the name, a colon and a space, the value, CRLF. */
  bytes: Buffer
  /** The same bytes, for reading several at once. */
  view: DataView
  start = 0
  nameLength = 0
  valueLength = 0
  /** Its code in http/fields.ts; `Field.other` for pseudo-header fields. */
  kind = 0
  pseudo: Pseudo = Pseudo.none
  /** Why no message may have a field of that name. */
  nameRefusal: Refusal = Refusal.none
  /** Why no message may have it; `Refusal.none` for nearly all. */
  refusal: Refusal = Refusal.none
  /** RFC 7541 section 7.1.3: it came as one that is never to be put into a table, and goes on as such. */
  isSensitive = false

  constructor(bytes: Buffer, view: DataView = viewOf(bytes)) {
    this.bytes = bytes
    this.view = view
  }

  /** Takes the name and what is known of it from another; the bytes are copied by the caller. */
  nameLike(other: HeaderField): void {
    this.nameLength = other.nameLength
    this.kind = other.kind
    this.pseudo = other.pseudo
    this.nameRefusal = other.nameRefusal
  }

  /** Its size as RFC 7541 section 4.1 counts it. */
  get size(): number {
    return this.nameLength + this.valueLength + FIELD_OVERHEAD
  }
}

/** What takes the fields of a header block, in order. It is given all of them, whatever it thinks of the first. */
export interface FieldSink {
  field(field: HeaderField): void
}
