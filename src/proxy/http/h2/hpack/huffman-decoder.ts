// Reads strings in the Huffman code (RFC 7541 section 5.2), a byte of them a step.
//
// A state is an inner node of the code's tree: what is left over of the bytes so far. A table has, for each state and
// next byte, the state after it, the symbols that it completes (two at most, as no code is shorter than five bits) and
// what OCTETS says of these. Mistakes are gathered along and looked at once, in the end. The table of 256 KiB is made when
// it is first asked for: a process without HTTP/2 has none.

import { CODE_LENGTHS, CODES, EOS } from './huffman-code.ts'
import { ALL_OCTETS, OCTETS } from './octets.ts'

// An entry, from the low bits up: the next state, two symbols, how many of them count, their OCTETS; the sign: it is wrong.
const STATE = 0xff
const FIRST = 8
const SECOND = 16
const COUNT = 24
const BITS = 26
const WRONG = 1 << 31

/** A string may be over here: less than a byte is left over, all of it ones (RFC 7541 section 5.2). */
const ENDS = 1
const LONGEST_PADDING = 7
const INNER_NODES = 256

interface Tables {
  readonly steps: Int32Array
  /** By state: ENDS or 0. */
  readonly ends: Uint8Array
}

let made: Tables | undefined

export class HuffmanDecoder {
  /** What OCTETS says of all that was read last. */
  octets = 0
  readonly #steps: Int32Array
  readonly #ends: Uint8Array

  constructor() {
    made ??= makeTables()
    this.#steps = made.steps
    this.#ends = made.ends
  }

  /**
   * Reads the bytes of `from` into `to`, at `at`, which must have room for two more than {@link mostLength}. Gives the
   * position after the last one, or -1 if it is no Huffman code.
   */
  read(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
    const steps = this.#steps
    let state = 0
    let bits = -1
    let wrong = 0
    let position = at
    for (let i = start; i < end; i++) {
      const step = steps[(state << 8) | from[i]!]!
      to[position] = step >> FIRST
      to[position + 1] = step >> SECOND
      position += (step >> COUNT) & 3
      bits &= step
      wrong |= step
      state = step & STATE
    }
    this.octets = (bits >> BITS) & ALL_OCTETS
    return wrong < 0 || this.#ends[state] !== ENDS ? -1 : position
  }

  /** How many bytes these stand for, or -1 if they are no Huffman code. */
  length(from: Uint8Array, start: number, end: number): number {
    const steps = this.#steps
    let state = 0
    let wrong = 0
    let length = 0
    for (let i = start; i < end; i++) {
      const step = steps[(state << 8) | from[i]!]!
      length += (step >> COUNT) & 3
      wrong |= step
      state = step & STATE
    }
    return wrong < 0 || this.#ends[state] !== ENDS ? -1 : length
  }
}

/** The most bytes that so many bytes of code can stand for. */
export function mostLength(length: number): number {
  return Math.floor((length * 8) / 5)
}

/** Inner nodes by number, the root first; what follows on 0 and on 1: another of them, or `~symbol`. */
function makeTree(): Int16Array {
  const children = new Int16Array(INNER_NODES * 2)
  let nodes = 1
  for (const [symbol, length] of CODE_LENGTHS.entries()) {
    let node = 0
    for (let bit = length - 1; bit > 0; bit--) {
      const branch = node * 2 + ((CODES[symbol]! >>> bit) & 1)
      if (children[branch] === 0) children[branch] = nodes++
      node = children[branch]!
    }
    children[node * 2 + (CODES[symbol]! & 1)] = ~symbol
  }
  return children
}

function makeTables(): Tables {
  const children = makeTree()
  const steps = new Int32Array(INNER_NODES * 256)
  const ends = new Uint8Array(INNER_NODES)
  for (let state = 0; state < INNER_NODES; state++) {
    for (let byte = 0; byte < 256; byte++)
      steps[state * 256 + byte] = makeStep(children, state, byte)
  }
  for (let node = 0, depth = 0; depth <= LONGEST_PADDING; depth++) {
    ends[node] = ENDS
    node = children[node * 2 + 1]!
  }
  return { steps, ends }
}

function makeStep(children: Int16Array, state: number, byte: number): number {
  let node = state
  let symbols = 0
  let count = 0
  let octets = ALL_OCTETS
  for (let bit = 7; bit >= 0; bit--) {
    node = children[node * 2 + ((byte >> bit) & 1)]!
    if (node >= 0) continue
    const symbol = ~node
    if (symbol === EOS) return WRONG
    symbols |= symbol << (count === 0 ? FIRST : SECOND)
    octets &= OCTETS[symbol]!
    count++
    node = 0
  }
  return node | symbols | (count << COUNT) | (octets << BITS)
}
