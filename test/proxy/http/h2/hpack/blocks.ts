// Header blocks by hand, and what the decoder and the encoder make of them.

import {
  type FieldSink,
  type HeaderField,
  Pseudo,
} from '../../../../../src/proxy/http/h2/hpack/header-field.ts'
import { Decoded, type HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import type { HpackEncoder } from '../../../../../src/proxy/http/h2/hpack/hpack-encoder.ts'
import { type Refusal, refusalName } from '../../../../../src/proxy/http/refusal.ts'
import { huffman } from './huffman-writer.ts'

export type Pair = readonly [name: string, value: string]

/** Keeps what it is given, as text. */
export class Listing implements FieldSink {
  readonly pairs: Pair[] = []
  readonly refusals: string[] = []
  readonly sensitive: string[] = []
  readonly kinds: number[] = []

  field(field: HeaderField): void {
    const nameEnd = field.start + field.nameLength
    const end = nameEnd + 2 + field.valueLength
    const text = (start: number, stop: number): string =>
      field.bytes.toString('latin1', start, stop)
    const name = text(field.start, nameEnd)
    if (text(nameEnd, nameEnd + 2) !== ': ' || text(end, end + 2) !== '\r\n') {
      throw new Error('this is no line')
    }
    if (field.view.byteOffset !== field.bytes.byteOffset) throw new Error('a view of other bytes')
    this.pairs.push([name, text(nameEnd + 2, end)])
    this.kinds.push(field.kind)
    if (field.refusal !== 0) this.refusals.push(refusalName(field.refusal satisfies Refusal))
    if (field.isSensitive) this.sensitive.push(name)
  }
}

/** What one block says, or why it says nothing. */
export function decode(decoder: HpackDecoder, block: Buffer | string): readonly Pair[] | string {
  const { verdict, listing } = read(decoder, block)
  if (verdict === Decoded.ok) return listing.pairs
  return verdict === Decoded.wrong ? 'wrong' : 'too large'
}

export function read(
  decoder: HpackDecoder,
  block: Buffer | string,
): { verdict: Decoded; listing: Listing } {
  const bytes = typeof block === 'string' ? Buffer.from(block.replaceAll(' ', ''), 'hex') : block
  // Somewhere in a larger buffer, as it is in life.
  const around = Buffer.concat([Buffer.from([0xff]), bytes, Buffer.from([0x82])])
  const listing = new Listing()
  const verdict = decoder.decode(around, 1, 1 + bytes.length, listing)
  return { verdict, listing }
}

const PSEUDOS: ReadonlyMap<string, Pseudo> = new Map([
  [':method', Pseudo.method],
  [':scheme', Pseudo.scheme],
  [':authority', Pseudo.authority],
  [':path', Pseudo.path],
  [':status', Pseudo.status],
])

/** One block of these fields. */
export function encode(
  encoder: HpackEncoder,
  pairs: readonly Pair[],
  sensitive: readonly string[] = [],
): Buffer {
  encoder.begin()
  for (const pair of pairs) add(encoder, pair, sensitive)
  return Buffer.from(encoder.block.subarray(0, encoder.length))
}

function add(encoder: HpackEncoder, [name, value]: Pair, sensitive: readonly string[]): void {
  const bytes = Buffer.from(`${name}: ${value}`, 'latin1')
  const start = name.length + 2
  // Every other one with a view.
  if (bytes.length % 2 === 0) {
    encoder.look(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length))
  }
  const pseudo = PSEUDOS.get(name)
  if (pseudo !== undefined) encoder.pseudo(pseudo, bytes, start, bytes.length)
  else encoder.field(bytes, 0, name.length, start, bytes.length, 0, sensitive.includes(name))
}

/** An integer behind flags, RFC 7541 section 5.1, written the simple way. */
export function integer(flags: number, mask: number, value: number): Buffer {
  if (value < mask) return Buffer.from([flags | value])
  const bytes = [flags | mask]
  let rest = value - mask
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(128 + (rest % 128))
  return Buffer.from([...bytes, rest])
}

export function plain(text: string | Buffer): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text
  return Buffer.concat([integer(0, 0x7f, bytes.length), bytes])
}

export function coded(text: string): Buffer {
  const bytes = huffman(Buffer.from(text, 'latin1'))
  return Buffer.concat([integer(0x80, 0x7f, bytes.length), bytes])
}

/** A literal with a name of its own, by default one that goes into no table. */
export function literal(name: string, value: string, flags = 0): Buffer {
  return Buffer.concat([Buffer.from([flags]), plain(name), plain(value)])
}

export const INCREMENTAL = 0x40

/** The dynamic table of a decoder, by asking for everything that is in it. */
export function tableOf(decoder: HpackDecoder): readonly Pair[] {
  const pairs: Pair[] = []
  for (let index = 62; ; index++) {
    const { verdict, listing } = read(decoder, integer(0x80, 0x7f, index))
    if (verdict !== Decoded.ok) return pairs
    pairs.push(...listing.pairs)
  }
}
