// What the clients and servers of the benchmark say to each other, and how each knows that it arrived unharmed.
//
// Small: an HTTP request and an answer of 37 bytes, both fixed, so that comparing bytes checks everything and
// autocannon can speak it too. Bulk: 16-byte orders, and a pattern of pseudo-random bytes that both ends know.

import { seededRandom } from '../src/lib/random.ts'

const BODY = 'a benchmark answer of 37 bytes: done.'
export const ANSWER_BODY: string = BODY

export const REQUEST: Buffer = Buffer.from('GET / HTTP/1.1\r\nHost: bench.default\r\n\r\n')
export const ANSWER: Buffer = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
)

/** What a bulk client can order. Every order is ORDER_BYTES long: the order, a zero, the length in 6 bytes, zeroes. */
export const ORDERS = {
  /** Send so many bytes of the pattern. */
  download: 1,
  /** Take so many bytes of the pattern, check them, and answer with a count. */
  upload: 2,
  /** Never read again. */
  hold: 3,
  /** Send without end. */
  flood: 4,
  /** Answer with the count of bytes that all floods got rid of so far. */
  tally: 5,
} as const
export type Order = (typeof ORDERS)[keyof typeof ORDERS]
export const ORDER_BYTES = 16
export const COUNT_BYTES = 8

const PATTERN_BYTES = 1 << 20
export const CHUNK_BYTES: number = 1 << 18
export const PATTERN: Buffer = makePattern()

export function encodeOrder(order: Order, length = 0): Buffer {
  const bytes = Buffer.alloc(ORDER_BYTES)
  bytes[0] = order
  bytes.writeUIntBE(length, 2, 6)
  return bytes
}

export function encodeCount(count: number): Buffer {
  const bytes = Buffer.alloc(COUNT_BYTES)
  bytes.writeUIntBE(count, 2, 6)
  return bytes
}

/** The number in 6 bytes that orders and counts both carry at offset 2. */
export function decodeNumber(bytes: Buffer): number {
  return bytes.readUIntBE(2, 6)
}

/** The piece of the pattern that goes out at `position`, at most `left` bytes. */
export function patternAt(position: number, left: number): Buffer {
  const start = position % PATTERN_BYTES
  return PATTERN.subarray(start, Math.min(start + CHUNK_BYTES, start + left, PATTERN_BYTES))
}

/** True if `bytes` is what the pattern holds from `position` on. */
export function matchesPattern(bytes: Buffer, position: number): boolean {
  for (let done = 0; done < bytes.length; ) {
    const start = (position + done) % PATTERN_BYTES
    const size = Math.min(bytes.length - done, PATTERN_BYTES - start)
    if (bytes.compare(PATTERN, start, start + size, done, done + size) !== 0) return false
    done += size
  }
  return true
}

function makePattern(): Buffer {
  const random = seededRandom(37)
  const words = new Uint32Array(PATTERN_BYTES / 4)
  for (let index = 0; index < words.length; index++) words[index] = random() * 4_294_967_296
  return Buffer.from(words.buffer)
}
