// Content framed as chunks (RFC 9112 section 7.1), for a message whose own codec marked its end in another way.
//
// What leaves together becomes one chunk. When that is, and whether trailers are welcome, is left to the callers.

import { CR, LF } from '../characters.ts'
import { Field } from '../fields.ts'
import type { Head } from '../head.ts'
import type { Slices } from '../slices.ts'
import type { HeadWriter } from './head-writer.ts'
import { FORBIDDEN_KINDS } from './trailers.ts'

const CRLF: Buffer = Buffer.of(CR, LF)
const LAST: Buffer = Buffer.from('0\r\n', 'latin1')
const DIGITS: Buffer = Buffer.from('0123456789abcdef', 'latin1')
/** The line before a chunk is made in here, from behind: eight digits count what memory can hold. */
const LINE: Buffer = Buffer.from('00000000\r\n', 'latin1')

/** Adds what is there as one chunk. Nothing if there is nothing: an empty chunk would be the last. */
export function addChunk(writer: HeadWriter, content: Slices): void {
  const { length } = content
  if (length === 0) return
  writer.room(LINE.length + length + CRLF.length)
  let at = LINE.length - CRLF.length
  for (let rest = length; rest > 0; rest >>>= 4) LINE[--at] = DIGITS[rest & 15]!
  writer.body(LINE, at, LINE.length)
  content.giveTo(writer)
  writer.addLines(CRLF)
}

/** Adds the last chunk and the trailer section (section 7.1.2), which is nearly always empty. */
export function addLastChunk(writer: HeadWriter, trailers: Head | undefined): void {
  writer.addLines(LAST)
  if (trailers !== undefined) addTrailers(writer, trailers)
  writer.addLines(CRLF)
}

/** They were judged when they were read. What no trailer section may have is left out whoever did that. */
function addTrailers(writer: HeadWriter, { bytes, count, kinds, spans, nominated }: Head): void {
  for (let i = 0; i < count; i++) {
    const kind = kinds[i]!
    if (kind !== Field.other && (FORBIDDEN_KINDS & (1 << kind)) !== 0) continue
    if (nominated[i] === 1) continue
    writer.body(bytes, spans[i * 4]!, spans[i * 4 + 3]!)
    writer.addLines(CRLF)
  }
}
