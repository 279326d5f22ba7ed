// W3C Trace Context, level 1: what a request's traceparent says, and the traceparent that it is sent on with.
//
// Read from the head's bytes and written as bytes: most requests are not sampled, and no string is made for them.
// A field that is not exactly as the standard has it counts as absent (section 3.2.2). Whether a trace is sampled is
// left to tracing.ts.

import { randomFillSync } from 'node:crypto'
import { Field } from '../http/fields.ts'
import type { Head } from '../http/head.ts'

/** Of the flags; the others are unknown and not passed on (section 3.2.2.5), but for that of level 2. */
export const SAMPLED = 1
const RANDOM_TRACE_ID = 2

/** Hexadecimal digits. */
const TRACE_ID = 32
const SPAN_ID = 16
/** Where the parts of a value stand: `00-` trace `-` span `-` flags. */
const TRACE_AT = 3
const SPAN_AT = TRACE_AT + TRACE_ID + 1
const FLAGS_AT = SPAN_AT + SPAN_ID + 1
const LENGTH = FLAGS_AT + 2

const NAME = 'traceparent: '
const TEMPLATE: Buffer = Buffer.from(
  `${NAME}00-${'0'.repeat(TRACE_ID)}-${'0'.repeat(SPAN_ID)}-00\r\n`,
  'latin1',
)

const ZERO = 0x30
const DASH = 0x2d
const NOT_HEX = 255
/** By byte: the value of a lower-case hexadecimal digit. */
const DIGITS: Uint8Array = new Uint8Array(256).fill(NOT_HEX)
const HEX: Buffer = Buffer.from('0123456789abcdef', 'latin1')
for (const [value, digit] of HEX.entries()) DIGITS[digit] = value

/** A valid traceparent, as it stands in the head that it was read from. One object is used for every request. */
export class TraceContext {
  flags = 0
  #head: Head | undefined = undefined
  #at = 0

  /** False if there is none, or none that may be believed. */
  read(head: Head): boolean {
    const index = head.indexOf(Field.traceparent)
    if (index < 0 || (head.repeated & (1 << Field.traceparent)) !== 0) return false
    const start = head.spans[index * 4 + 2] ?? 0
    const length = (head.spans[index * 4 + 3] ?? 0) - start
    const flags = flagsOf(head.bytes, start, length)
    if (flags < 0) return false
    this.flags = flags & (SAMPLED | RANDOM_TRACE_ID)
    this.#head = head
    this.#at = start
    return true
  }

  get isSampled(): boolean {
    return (this.flags & SAMPLED) !== 0
  }

  get traceId(): string {
    return this.#text(TRACE_AT, TRACE_ID)
  }

  get spanId(): string {
    return this.#text(SPAN_AT, SPAN_ID)
  }

  /** Writes the trace's id into a line made by {@link newTraceparent}. */
  copyTraceId(line: Buffer): void {
    const at = this.#at + TRACE_AT
    this.#head?.bytes.copy(line, NAME.length + TRACE_AT, at, at + TRACE_ID)
  }

  #text(from: number, length: number): string {
    const at = this.#at + from
    return this.#head?.text(at, at + length) ?? ''
  }
}

/** The flags of a valid value, or -1. A later version than 00 may go on after another dash (section 4.3). */
function flagsOf(bytes: Buffer, at: number, length: number): number {
  if (length < LENGTH) return -1
  const version = byteAt(bytes, at)
  if (version < 0 || version === 255 || (version === 0 && length !== LENGTH)) return -1
  if (length > LENGTH && bytes[at + LENGTH] !== DASH) return -1
  const dashes =
    bytes[at + TRACE_AT - 1] === DASH &&
    bytes[at + SPAN_AT - 1] === DASH &&
    bytes[at + FLAGS_AT - 1] === DASH
  if (!dashes || !isId(bytes, at + TRACE_AT, TRACE_ID) || !isId(bytes, at + SPAN_AT, SPAN_ID)) {
    return -1
  }
  return byteAt(bytes, at + FLAGS_AT)
}

/** Two hexadecimal digits as a number, or -1. */
function byteAt(bytes: Buffer, at: number): number {
  const high = digitAt(bytes, at)
  const low = digitAt(bytes, at + 1)
  return high === NOT_HEX || low === NOT_HEX ? -1 : high * 16 + low
}

function digitAt(bytes: Buffer, at: number): number {
  return DIGITS[bytes[at] ?? 0] ?? NOT_HEX
}

/** Lower-case hexadecimal digits that are not all zero. */
function isId(bytes: Buffer, start: number, length: number): boolean {
  let any = 0
  for (let at = start; at < start + length; at++) {
    const digit = digitAt(bytes, at)
    if (digit === NOT_HEX) return false
    any |= digit
  }
  return any !== 0
}

const POOL: Buffer = Buffer.alloc(4096)
let left = 0

/** A whole field line with a new span's id, and a new trace's unless there is one to `continue`. */
export function newTraceparent(flags: number, continued: TraceContext | undefined): Buffer {
  const line = Buffer.allocUnsafe(TEMPLATE.length)
  line.set(TEMPLATE)
  if (continued === undefined) writeRandom(line, NAME.length + TRACE_AT, TRACE_ID)
  else continued.copyTraceId(line)
  writeRandom(line, NAME.length + SPAN_AT, SPAN_ID)
  line[NAME.length + FLAGS_AT + 1] = ZERO + flags
  return line
}

/** The ids in a line made by {@link newTraceparent}. */
export function traceIdIn(line: Buffer): string {
  const at = NAME.length + TRACE_AT
  return line.toString('latin1', at, at + TRACE_ID)
}

export function spanIdIn(line: Buffer): string {
  const at = NAME.length + SPAN_AT
  return line.toString('latin1', at, at + SPAN_ID)
}

/** Random hexadecimal digits that are not all zero, out of randomness that is fetched in batches. */
function writeRandom(line: Buffer, start: number, length: number): void {
  const bytes = length / 2
  if (left < bytes) {
    randomFillSync(POOL)
    left = POOL.length
  }
  left -= bytes
  POOL[left] = (POOL[left] ?? 0) | 1
  for (let i = 0; i < bytes; i++) {
    const byte = POOL[left + i] ?? 0
    line[start + 2 * i] = HEX[byte >> 4] ?? ZERO
    line[start + 2 * i + 1] = HEX[byte & 15] ?? ZERO
  }
}
