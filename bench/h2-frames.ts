// HTTP/2 as far as the benchmark's own ends need it (RFC 9113): frames read in whatever pieces they come, the few
// that are written, and what control frames are answered with.
//
// Header blocks are made by hand and never decoded: a status of 200 is one byte. Whatever an end here does not
// expect of a sound peer is an error, and so fails the run.

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
export const FRAME_HEAD = 9
/** SETTINGS_MAX_FRAME_SIZE as it is unless an end says otherwise, which none here does. */
export const MOST_PAYLOAD = 16_384
/** SETTINGS_INITIAL_WINDOW_SIZE, likewise. */
export const STREAM_WINDOW = 65_535

export const FRAMES = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
} as const

export const END_STREAM = 0x1
export const END_HEADERS = 0x4
const ACK = 0x1
const PADDED = 0x8
const PRIORITY = 0x20

const HEADER_TABLE_SIZE = 0x1
const MAX_CONCURRENT_STREAMS = 0x3
/** The table that both ends may use until told otherwise (RFC 7541 section 4.2). */
const TABLE_BYTES = 4096
const NONE = Buffer.alloc(0)

/** Hears of whole frames; the payload is `bytes` from `start` to `end`, and gone after the call. */
export interface FrameSink {
  frame(
    type: number,
    flags: number,
    stream: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void
}

export class FrameReader {
  readonly #sink: FrameSink
  /** The beginning of what is not here as a whole. */
  #begun: Buffer = NONE
  #preface: Buffer

  /** `preface` is what comes before the first frame. */
  constructor(sink: FrameSink, preface: Buffer = NONE) {
    this.#sink = sink
    this.#preface = preface
  }

  /** Throws what the sink throws, and on a frame that is too long to be one. */
  read(chunk: Buffer): void {
    const bytes = this.#begun.length === 0 ? chunk : Buffer.concat([this.#begun, chunk])
    let at = this.#preface.length
    if (at > bytes.length) {
      this.#begun = Buffer.from(bytes)
      return
    }
    if (at > 0) this.#checkPreface(bytes)
    while (bytes.length - at >= FRAME_HEAD) {
      const length = bytes.readUIntBE(at, 3)
      if (length > MOST_PAYLOAD) throw new Error(`a frame of ${length} bytes`)
      const start = at + FRAME_HEAD
      if (start + length > bytes.length) break
      const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff
      const type = bytes.readUInt8(at + 3)
      const flags = bytes.readUInt8(at + 4)
      this.#sink.frame(type, flags, stream, bytes, start, start + length)
      at = start + length
    }
    // The chunk's memory is used again for the next one.
    this.#begun = at === bytes.length ? NONE : Buffer.from(bytes.subarray(at))
  }

  #checkPreface(bytes: Buffer): void {
    const there = bytes.subarray(0, this.#preface.length)
    if (!there.equals(this.#preface)) throw new Error('not HTTP/2')
    this.#preface = NONE
  }
}

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  payload.copy(bytes, FRAME_HEAD)
  return bytes
}

/** The same frame for another stream. */
export function setStream(bytes: Buffer, stream: number, offset = 0): void {
  bytes.writeUInt32BE(stream, offset + 5)
}

export function windowUpdate(stream: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(bytes)
  return frame(FRAMES.windowUpdate, 0, stream, payload)
}

export function settings(pairs: readonly (readonly [name: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6)
  for (const [index, [name, value]] of pairs.entries()) {
    payload.writeUInt16BE(name, index * 6)
    payload.writeUInt32BE(value, index * 6 + 2)
  }
  return frame(FRAMES.settings, 0, 0, payload)
}

/** No push, no less than what is taken for granted, and so many streams. */
export function ownSettings(streams: number): Buffer {
  return settings([[MAX_CONCURRENT_STREAMS, streams]])
}

/**
 * What a frame that is about no message is answered with; undefined for nothing. Throws if it ends a stream or the
 * connection, or if it allows less than `streams` streams and the usual table.
 */
export function answerTo(
  type: number,
  flags: number,
  payload: Buffer,
  streams: number,
): Buffer | undefined {
  switch (type) {
    case FRAMES.reset:
      throw new Error(`a stream was reset with ${payload.readUInt32BE(0)}`)
    case FRAMES.goaway: {
      const text = payload.toString('latin1', 8)
      throw new Error(`the connection was ended with ${payload.readUInt32BE(4)} ${text}`.trimEnd())
    }
    case FRAMES.settings:
      if ((flags & ACK) !== 0) return undefined
      checkSettings(payload, streams)
      return frame(FRAMES.settings, ACK, 0, NONE)
    case FRAMES.ping:
      return (flags & ACK) === 0 ? frame(FRAMES.ping, ACK, 0, payload) : undefined
    default:
      return undefined
  }
}

function checkSettings(payload: Buffer, streams: number): void {
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    const [name, value] = [payload.readUInt16BE(at), payload.readUInt32BE(at + 2)]
    if (name === HEADER_TABLE_SIZE && value < TABLE_BYTES) {
      throw new Error(`a header table of ${value} bytes only`)
    }
    if (name === MAX_CONCURRENT_STREAMS && value < streams) {
      throw new Error(`only ${value} streams at once`)
    }
  }
}

/** Where in a payload the content begins and ends, without padding and priority. */
export function contentStart(flags: number, start: number): number {
  return start + ((flags & PADDED) === 0 ? 0 : 1) + ((flags & PRIORITY) === 0 ? 0 : 5)
}

export function contentEnd(flags: number, bytes: Buffer, start: number, end: number): number {
  return (flags & PADDED) === 0 ? end : end - bytes.readUInt8(start)
}

/** The first byte of a header block that stands for a field: sizes of the table may come before (RFC 7541 section 6.3). */
export function firstField(block: Buffer): number {
  let at = 0
  while (at < block.length && (block.readUInt8(at) & 0xe0) === 0x20) {
    const isLong = (block.readUInt8(at++) & 0x1f) === 0x1f
    while (isLong && at < block.length && (block.readUInt8(at++) & 0x80) !== 0);
  }
  return at < block.length ? block.readUInt8(at) : 0
}
