// HTTP/2 as bytes (RFC 9113): frames made one by one, sound or not, and frames read, without the code under test.
//
// Header blocks are written as literals only (RFC 7541 section 6.2.2), so that a test says exactly what is sent.
// Those that we send are read by our own decoder, which has tests of its own.

import type { FieldSink, HeaderField } from '../../src/proxy/http/h2/hpack/header-field.ts'
import { Decoded, type HpackDecoder } from '../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { FRAME_HEAD, h2ErrorName, PREFACE } from '../../src/proxy/http/h2/protocol.ts'

export const Type = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const END_STREAM = 0x1
export const ACK = 0x1
export const END_HEADERS = 0x4
export const PADDED = 0x8
export const PRIORITY = 0x20

const TYPE_NAMES = Object.keys(Type).map((name) =>
  name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
)

export type Fields = readonly (readonly [string, string])[]

// What is sent.

/** A frame whose length is that of its payload. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = NOTHING,
): Buffer {
  return liar(type, flags, stream, payload.length, payload)
}

/** A frame that says what length it likes. */
export function liar(
  type: number,
  flags: number,
  stream: number,
  length: number,
  payload: Uint8Array = NOTHING,
): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD + payload.length)
  bytes.writeUIntBE(length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream >>> 0, 5)
  bytes.set(payload, FRAME_HEAD)
  return bytes
}

const NOTHING: Buffer = Buffer.alloc(0)

export function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * i)
  return bytes
}

export function settings(...values: readonly (readonly [number, number])[]): Buffer {
  return frame(Type.settings, 0, 0, settingsPayload(values))
}

export function settingsPayload(values: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(6 * values.length)
  for (const [i, [name, value]] of values.entries()) {
    payload.writeUInt16BE(name, 6 * i)
    payload.writeUInt32BE(value, 6 * i + 2)
  }
  return payload
}

export const SETTINGS_ACK: Buffer = frame(Type.settings, ACK, 0)

/** What a client begins with. */
export const CLIENT_START: Buffer = Buffer.concat([PREFACE, settings()])

export function data(stream: number, content: string | Buffer, flags = 0, pad = -1): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content
  if (pad < 0) return frame(Type.data, flags, stream, bytes)
  return frame(Type.data, flags | PADDED, stream, padded(bytes, pad))
}

export function padded(bytes: Buffer, pad: number): Buffer {
  return Buffer.concat([Buffer.from([pad]), bytes, Buffer.alloc(pad)])
}

/** A HEADERS frame with its whole block, and END_STREAM. */
export function headers(
  stream: number,
  block: Buffer,
  flags: number = END_HEADERS | END_STREAM,
): Buffer {
  return frame(Type.headers, flags, stream, block)
}

export function continuation(stream: number, block: Buffer, flags: number = END_HEADERS): Buffer {
  return frame(Type.continuation, flags, stream, block)
}

export function priorityPayload(dependsOn: number, weight = 16): Buffer {
  return Buffer.concat([u32(dependsOn), Buffer.from([weight - 1])])
}

export function priority(stream: number, dependsOn: number, weight = 16): Buffer {
  return frame(Type.priority, 0, stream, priorityPayload(dependsOn, weight))
}

export function rstStream(stream: number, code: number): Buffer {
  return frame(Type.rstStream, 0, stream, u32(code))
}

export function ping(text = '12345678', flags = 0): Buffer {
  return frame(Type.ping, flags, 0, Buffer.from(text, 'latin1'))
}

export function goaway(last: number, code: number, details = ''): Buffer {
  return frame(Type.goaway, 0, 0, Buffer.concat([u32(last, code), Buffer.from(details)]))
}

export function windowUpdate(stream: number, by: number): Buffer {
  return frame(Type.windowUpdate, 0, stream, u32(by))
}

export function pushPromise(stream: number, promised: number, block: Buffer): Buffer {
  return frame(Type.pushPromise, END_HEADERS, stream, Buffer.concat([u32(promised), block]))
}

/** Fields as literals that go into no table, without Huffman coding. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(fields.map(([name, value]) => literal(0x00, name, value)))
}

/** `first` 0x00: without indexing, 0x10: never indexed, 0x40: with indexing; RFC 7541 section 6.2. */
export function literal(first: number, name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([first]), text(name), text(value)])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  return Buffer.concat([integer(0x00, 7, bytes.length), bytes])
}

/** RFC 7541 section 5.1. */
export function integer(first: number, bits: number, value: number): Buffer {
  const most = 2 ** bits - 1
  if (value < most) return Buffer.from([first | value])
  const bytes = [first | most]
  let rest = value - most
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  bytes.push(rest)
  return Buffer.from(bytes)
}

const REQUEST: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
]

/** The block of a request, with more fields behind. */
export function request(more: Fields = [], method = 'GET'): Buffer {
  const [, ...rest] = REQUEST
  return block([[':method', method], ...rest, ...more])
}

export function response(status: number | string, more: Fields = []): Buffer {
  return block([[':status', `${status}`], ...more])
}

// What is read.

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
  /** Of the whole header block, on the frame that ends it. */
  readonly fields: Fields | undefined
}

/** Reads a sequence of frames, in whatever pieces, with the header blocks in them. */
export class FrameReader {
  readonly frames: Frame[] = []
  readonly #decoder: HpackDecoder | undefined
  readonly #before: Buffer
  #skip: number
  #rest: Buffer = NOTHING
  #block: Buffer[] = []

  /** `before` is what stands before the first frame; without a decoder, header blocks are not looked into. */
  constructor(before: Buffer = NOTHING, decoder?: HpackDecoder) {
    this.#before = before
    this.#decoder = decoder
    this.#skip = before.length
  }

  /** The frames that these bytes completed. */
  read(bytes: Buffer): readonly Frame[] {
    const first = this.frames.length
    let all = Buffer.concat([this.#rest, bytes])
    if (this.#skip > 0) {
      const there = Math.min(this.#skip, all.length)
      if (!all.subarray(0, there).equals(this.#before.subarray(0, there)))
        throw new Error(`it begins with ${JSON.stringify(all.toString('latin1'))}`)
      if (there < this.#skip) {
        this.#rest = all
        return []
      }
      this.#skip = 0
      all = all.subarray(there)
    }
    while (all.length >= FRAME_HEAD && all.length >= FRAME_HEAD + all.readUIntBE(0, 3)) {
      const end = FRAME_HEAD + all.readUIntBE(0, 3)
      this.#add(all.subarray(0, end))
      all = all.subarray(end)
    }
    this.#rest = all
    return this.frames.slice(first)
  }

  /** Bytes of a frame that is not complete. */
  get pending(): number {
    return this.#rest.length
  }

  #add(bytes: Buffer): void {
    const type = bytes.readUInt8(3)
    const flags = bytes.readUInt8(4)
    const stream = bytes.readUInt32BE(5)
    const payload = bytes.subarray(FRAME_HEAD)
    let fields: Fields | undefined
    if (this.#decoder !== undefined && (type === Type.headers || type === Type.continuation)) {
      this.#block.push(type === Type.headers ? fragment(payload, flags) : payload)
      if ((flags & END_HEADERS) !== 0) {
        fields = decodeBlock(this.#decoder, Buffer.concat(this.#block))
        this.#block = []
      }
    }
    this.frames.push({ type, flags, stream, payload, fields })
  }
}

/** What is left of a payload without padding and priority. */
export function fragment(payload: Buffer, flags: number): Buffer {
  const pad = (flags & PADDED) === 0 ? 0 : payload.readUInt8(0)
  const start = ((flags & PADDED) === 0 ? 0 : 1) + ((flags & PRIORITY) === 0 ? 0 : 5)
  if (start + pad > payload.length) throw new Error('more padding than there is payload')
  return payload.subarray(start, payload.length - pad)
}

export function decodeBlock(decoder: HpackDecoder, bytes: Buffer): Fields {
  const fields: [string, string][] = []
  const sink: FieldSink = {
    field(field: HeaderField) {
      const nameEnd = field.start + field.nameLength
      const valueStart = nameEnd + 2
      fields.push([
        field.bytes.toString('latin1', field.start, nameEnd),
        field.bytes.toString('latin1', valueStart, valueStart + field.valueLength),
      ])
    },
  }
  const result = decoder.decode(bytes, 0, bytes.length, sink)
  if (result !== Decoded.ok)
    throw new Error(`a block that cannot be read: ${bytes.toString('hex')}`)
  return fields
}

/** A frame as one line of a log: `RST_STREAM 1 CANCEL`, `DATA 3 "hello" END`. */
export function line(frame: Frame): string {
  const { type, flags, stream, payload } = frame
  const name = TYPE_NAMES[type] ?? `TYPE_${type}`
  const end = (flags & END_STREAM) === 0 ? '' : ' END'
  switch (type) {
    case Type.data:
      return `DATA ${stream} ${shown(fragment(payload, flags))}${end}`
    case Type.headers:
    case Type.continuation:
      return `${name} ${stream} ${frame.fields === undefined ? '...' : first(frame.fields)}${type === Type.headers ? end : ''}`
    case Type.rstStream:
      return `RST_STREAM ${stream} ${h2ErrorName(payload.readUInt32BE(0))}`
    case Type.settings:
      return `SETTINGS${(flags & ACK) === 0 ? ` ${pairs(payload)}` : ' ACK'}`.trimEnd()
    case Type.ping:
      return `PING ${payload.toString('latin1')}${(flags & ACK) === 0 ? '' : ' ACK'}`
    case Type.goaway:
      return `GOAWAY ${payload.readUInt32BE(0)} ${h2ErrorName(payload.readUInt32BE(4))}`
    case Type.windowUpdate:
      return `WINDOW_UPDATE ${stream} +${payload.readUInt32BE(0)}`
    default:
      return `${name} ${stream} ${payload.toString('hex')}`
  }
}

/** Short contents as they are, long ones by their length. */
export function shown(bytes: Buffer): string {
  return bytes.length <= 40 ? JSON.stringify(bytes.toString('latin1')) : `(${bytes.length})`
}

export function pairsOf(payload: Buffer): [number, number][] {
  const found: [number, number][] = []
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    found.push([payload.readUInt16BE(at), payload.readUInt32BE(at + 2)])
  }
  return found
}

function pairs(payload: Buffer): string {
  return pairsOf(payload)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

/** A request's method and path, a response's status, of trailers the names. */
function first(fields: Fields): string {
  const pseudo = (name: string): string | undefined => fields.find(([key]) => key === name)?.[1]
  const status = pseudo(':status')
  if (status !== undefined) return status
  const method = pseudo(':method')
  if (method !== undefined) return `${method} ${pseudo(':path') ?? ''}`.trimEnd()
  return `{${fields.map(([key]) => key).join(',')}}`
}

/**
 * What frames say, however they were packed: DATA in sequence is one line, CONTINUATION belongs to its HEADERS, and
 * WINDOW_UPDATE, which follows how the input was cut, is left out.
 */
export function told(frames: readonly Frame[]): string[] {
  const lines: string[] = []
  let open: { stream: number; parts: Buffer[] } | undefined
  const close = (end: string): void => {
    if (open !== undefined)
      lines.push(`DATA ${open.stream} ${shown(Buffer.concat(open.parts))}${end}`)
    open = undefined
  }
  let wasEnd = 0
  for (const frame of frames) {
    const { type, flags, stream, payload } = frame
    if (type === Type.windowUpdate) continue
    if (type === Type.data) {
      if (open !== undefined && open.stream !== stream) close('')
      open ??= { stream, parts: [] }
      open.parts.push(fragment(payload, flags))
      if ((flags & END_STREAM) !== 0) close(' END')
      continue
    }
    close('')
    if (type === Type.headers) wasEnd = flags & END_STREAM
    if (type === Type.headers || type === Type.continuation) {
      if ((flags & END_HEADERS) === 0) continue
      lines.push(`HEADERS ${stream} ${first(frame.fields ?? [])}${wasEnd === 0 ? '' : ' END'}`)
    } else {
      lines.push(line(frame))
    }
  }
  close('')
  return lines
}
