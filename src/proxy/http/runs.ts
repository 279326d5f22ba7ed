// Where a run of bytes of one class ends: the inner loops of reading a head, two to eight bytes a step.
//
// Names and targets go by pairs through a table of all pairs. Values, which are most of a head, go by words: a word
// is passed over if none of its bytes is a control. Whatever does not fit is looked at byte by byte, so the answer
// is always that of the plain loop. The view must be of the same bytes.

import { CLASS, TEXT } from './characters.ts'

/** By two bytes as a little-endian number: the classes that both are in. */
const PAIRS = new Uint8Array(65_536)
for (let pair = 0; pair < PAIRS.length; pair++) PAIRS[pair] = CLASS[pair & 255]! & CLASS[pair >> 8]!

const SPACES = 0x20202020
const ONES = 0x01010101
const DELETES = 0x7f7f7f7f
const TOPS = 0x80808080 | 0

/** The first position from `from` on whose byte is not in the class, or `stop`. */
export function runEnd(view: DataView, from: number, stop: number, kind: number): number {
  const pairs = PAIRS
  const last = stop - 1
  let at = from
  while (at < last && (pairs[view.getUint16(at, true)]! & kind) !== 0) at += 2
  return at < stop && (CLASS[view.getUint8(at)]! & kind) !== 0 ? at + 1 : at
}

/** The same for {@link TEXT}. */
export function textEnd(view: DataView, from: number, stop: number): number {
  let at = from
  for (;;) {
    at = wordsEnd(view, at, stop)
    const last = Math.min(at + 8, stop)
    at = runEnd(view, at, last, TEXT)
    if (at < last || at === stop) return at
  }
}

/** Eight bytes at a time: where the first eight begin that may not all be text, or that are not all there. */
function wordsEnd(view: DataView, from: number, stop: number): number {
  const last = stop - 8
  let at = from
  while (at <= last) {
    const one = view.getInt32(at, true)
    const two = view.getInt32(at + 4, true)
    // The top bit of a byte here: it is below a space, or a DEL, and is not obs-text; or the byte before was.
    const oneOdd = ((one - SPACES) | ((one ^ DELETES) - ONES)) & ~one
    const twoOdd = ((two - SPACES) | ((two ^ DELETES) - ONES)) & ~two
    if (((oneOdd | twoOdd) & TOPS) !== 0) return at
    at += 8
  }
  return at
}
