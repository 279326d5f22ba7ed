// A message's head, read: where its parts are in the bytes it came in, and what the codec concluded from them.
//
// One Head belongs to one reader and is filled again for every message, so nothing is allocated for a message. The
// bytes stay in the buffer they were read into (or in the reader's own small one if they came in pieces); whoever
// needs a head for longer than the read that completed it calls `keep`. Strings are made only when asked for.
// What makes a head acceptable is left to the rules.

import { Method } from './method.ts'

/** How the end of a message's body is found, RFC 9112 section 6.3. */
export const Framing = {
  /** There is no body. */
  none: 0,
  /** `contentLength` bytes, at least one. */
  length: 1,
  chunked: 2,
  /** Everything until the connection is closed. Only responses. */
  close: 3,
  /** No message any more: both directions are bytes of another protocol. Only responses. */
  tunnel: 4,
  /** The codec says when it ends: HTTP/2 without a Content-Length. The body's bytes are its content alone. */
  stream: 5,
} as const
export type Framing = (typeof Framing)[keyof typeof Framing]

/** RFC 9112 section 3.2. */
export const TargetForm = { origin: 0, absolute: 1, authority: 2, asterisk: 3 } as const
export type TargetForm = (typeof TargetForm)[keyof typeof TargetForm]

const NOTHING: Buffer = Buffer.alloc(0)
const NO_VIEW: DataView = new DataView(new ArrayBuffer(0))
const FIRST_CAPACITY = 24
const SPANS = 4
/** Of a small integer. */
const LAST_BIT = 30

export class Head {
  /** Change it only by `look`. */
  bytes: Buffer = NOTHING
  /** The same bytes, for reading several at once. */
  view: DataView = NO_VIEW
  start = 0
  /** After the start line's CRLF. */
  fieldsStart = 0
  /** After the final CRLF. */
  end = 0

  /** The minor version: 0 or 1 of HTTP/1. What came as HTTP/2 stands in the form of HTTP/1.1. */
  minor = 0
  /** Its bytes are its own, and stay as they are as long as its exchange lasts. */
  isStable = false
  method: Method = Method.other
  methodEnd = 0
  targetStart = 0
  targetEnd = 0
  targetForm: TargetForm = TargetForm.origin
  /** The authority in an absolute or authority form; the Host field's value otherwise. Empty if there is none. */
  authorityStart = 0
  authorityEnd = 0
  status = 0

  framing: Framing = Framing.none
  /** With `Framing.length`. Starts as a double, so that a body over a gigabyte does not change the class. */
  contentLength: number = NaN
  /** False if the connection ends with this message. */
  persistent = false
  /** The client waits for a 100 before it sends the body. */
  expectsContinue = false
  /** A request that asks for another protocol, or a 101 that grants it. */
  upgrade = false
  /** TE says that trailers are welcome. */
  trailersWelcome = false

  /** How many fields there are. */
  count = 0
  /** The recognised fields that occur, and those that occur more than once, as bits. */
  seen = 0
  repeated = 0
  /** Four numbers a field: name start and end, value start and end. */
  spans: Int32Array = new Int32Array(FIRST_CAPACITY * SPANS)
  /** By field: its code. */
  kinds: Uint8Array = new Uint8Array(FIRST_CAPACITY)
  /** By field: 1 if the Connection field names it. */
  nominated: Uint8Array = new Uint8Array(FIRST_CAPACITY)
  /** True if any field is nominated. */
  anyNominated = false
  /** By field, as bits: 1 if it is to be kept out of tables (RFC 7541 section 7.1.3). The last bit is for all others. */
  sensitive = 0
  /** By code: the first field of that kind, where `seen` has it. */
  readonly firsts: Uint16Array = new Uint16Array(32)

  /** Begins a new head at `start` of `bytes`. */
  begin(bytes: Buffer, start: number): void {
    this.look(bytes)
    this.start = start
    this.count = 0
    this.seen = 0
    this.repeated = 0
    this.sensitive = 0
    if (this.anyNominated) {
      this.nominated.fill(0)
      this.anyNominated = false
    }
    this.authorityStart = 0
    this.authorityEnd = 0
    this.framing = Framing.none
    this.expectsContinue = false
    this.upgrade = false
    this.trailersWelcome = false
  }

  /** Takes its bytes from here. A read buffer that is filled again and again needs one view only. */
  look(bytes: Buffer): void {
    if (bytes === this.bytes) return
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  markSensitive(index: number): void {
    this.sensitive |= 1 << Math.min(index, LAST_BIT)
  }

  isSensitiveAt(index: number): boolean {
    return (this.sensitive & (1 << Math.min(index, LAST_BIT))) !== 0
  }

  /** Makes room for one more field than there are. */
  reserve(): void {
    if (this.count < this.kinds.length) return
    const spans = new Int32Array(this.spans.length * 2)
    const kinds = new Uint8Array(this.kinds.length * 2)
    spans.set(this.spans)
    kinds.set(this.kinds)
    this.spans = spans
    this.kinds = kinds
    this.nominated = new Uint8Array(kinds.length)
  }

  /** The same head in other bytes, `by` further on. */
  move(bytes: Buffer, by: number): void {
    this.look(bytes)
    this.start += by
    this.fieldsStart += by
    this.end += by
    this.methodEnd += by
    this.targetStart += by
    this.targetEnd += by
    this.authorityStart += by
    this.authorityEnd += by
    // One field more than counted: the one that is being read.
    const spans = Math.min((this.count + 1) * SPANS, this.spans.length)
    for (let i = 0; i < spans; i++) this.spans[i]! += by
  }

  /** Copies the bytes, so that the buffer they came in may be filled again. */
  keep(): void {
    const copy = Buffer.allocUnsafeSlow(this.end - this.start)
    this.bytes.copy(copy, 0, this.start, this.end)
    this.move(copy, -this.start)
  }

  /** One of its own, with bytes of its own. */
  copy(): Head {
    const copy = new Head()
    const by = -this.start
    copy.look(Buffer.from(this.bytes.subarray(this.start, this.end)))
    copy.spans = Int32Array.from(this.spans)
    copy.kinds = Uint8Array.from(this.kinds)
    copy.nominated = Uint8Array.from(this.nominated)
    copy.firsts.set(this.firsts)
    Object.assign(copy, {
      ...{ start: this.start, fieldsStart: this.fieldsStart, end: this.end, minor: this.minor },
      ...{ method: this.method, methodEnd: this.methodEnd, status: this.status },
      ...{ targetStart: this.targetStart, targetEnd: this.targetEnd, targetForm: this.targetForm },
      ...{ authorityStart: this.authorityStart, authorityEnd: this.authorityEnd },
      ...{ framing: this.framing, contentLength: this.contentLength, persistent: this.persistent },
      ...{ expectsContinue: this.expectsContinue, upgrade: this.upgrade, isStable: true },
      ...{ trailersWelcome: this.trailersWelcome, anyNominated: this.anyNominated },
      ...{ count: this.count, seen: this.seen, repeated: this.repeated },
      sensitive: this.sensitive,
    })
    copy.move(copy.bytes, by)
    return copy
  }

  /** Lets go of the bytes, so that an idle connection holds on to no buffer. */
  release(): void {
    this.bytes = NOTHING
    this.view = NO_VIEW
    this.count = 0
    this.seen = 0
  }

  has(bits: number): boolean {
    return (this.seen & bits) !== 0
  }

  nameAt(index: number): string {
    const at = index * SPANS
    return this.text(this.spans[at]!, this.spans[at + 1]!)
  }

  valueAt(index: number): string {
    const at = index * SPANS
    return this.text(this.spans[at + 2]!, this.spans[at + 3]!)
  }

  /** The index of the first recognised field of that code, or -1. */
  indexOf(field: number): number {
    return (this.seen & (1 << field)) === 0 ? -1 : this.firsts[field]!
  }

  /** The value of the first recognised field of that code. */
  value(field: number): string | undefined {
    const index = this.indexOf(field)
    return index < 0 ? undefined : this.valueAt(index)
  }

  /** The index of the next field of that name (lower case) from `from` on, or -1. */
  find(name: string, from = 0): number {
    for (let i = from; i < this.count; i++) {
      const start = this.spans[i * SPANS]!
      if (this.spans[i * SPANS + 1]! - start === name.length && this.reads(start, name)) return i
    }
    return -1
  }

  /** Whether these bytes are that lower-case text, but for case. */
  reads(start: number, text: string): boolean {
    for (let i = 0; i < text.length; i++) {
      if (lower(this.bytes[start + i]!) !== text.charCodeAt(i)) return false
    }
    return true
  }

  get methodText(): string {
    return this.text(this.start, this.methodEnd)
  }

  get target(): string {
    return this.text(this.targetStart, this.targetEnd)
  }

  get authority(): string {
    return this.text(this.authorityStart, this.authorityEnd)
  }

  /** A response's reason stands where a request's target does. */
  get reason(): string {
    return this.text(this.targetStart, this.targetEnd)
  }

  text(start: number, end: number): string {
    return this.bytes.toString('latin1', start, end)
  }
}

/** An ASCII letter in lower case, any other byte as it is. */
export function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
