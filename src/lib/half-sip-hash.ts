// HalfSipHash-2-4 with 64 bits of output (Aumasson and Bernstein): a hash that nobody can aim at without its key.
//
// For tables whose keys come from traffic: who does not know the key finds neither two inputs with one hash nor many
// for one place. It works on 32-bit words, which is what integers of the runtime are good at, and allocates nothing.
// Not for secrets that must hold for years.

const WORD = 4
const C2 = 0x6c796765
const C3 = 0x74656462

export class HalfSipHash {
  /** The last hash, both halves. */
  readonly out: Int32Array = new Int32Array(2)
  readonly #key0: number
  readonly #key1: number
  readonly #state = new Int32Array(4)

  /** The key's two words. */
  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
  }

  /** Leaves the hash of these bytes in `out`. */
  bytes(bytes: Uint8Array, start: number, end: number): void {
    this.#begin()
    let at = start
    for (; at + WORD <= end; at += WORD) {
      this.#word(
        (bytes[at] ?? 0) |
          ((bytes[at + 1] ?? 0) << 8) |
          ((bytes[at + 2] ?? 0) << 16) |
          ((bytes[at + 3] ?? 0) << 24),
      )
    }
    let last = (end - start) << 24
    for (let shift = 0; at < end; at++, shift += 8) last |= (bytes[at] ?? 0) << shift
    this.#finish(last)
  }

  /** The same of `count` words from `at` on, as the bytes that they are in little-endian order. */
  words(words: Int32Array, at: number, count: number): void {
    this.#begin()
    for (let i = at; i < at + count; i++) this.#word(words[i] ?? 0)
    this.#finish((count * WORD) << 24)
  }

  #begin(): void {
    const state = this.#state
    state[0] = this.#key0
    state[1] = this.#key1 ^ 0xee
    state[2] = C2 ^ this.#key0
    state[3] = C3 ^ this.#key1
  }

  #word(word: number): void {
    const state = this.#state
    state[3] = (state[3] ?? 0) ^ word
    rounds(state, 2)
    state[0] = (state[0] ?? 0) ^ word
  }

  #finish(last: number): void {
    const state = this.#state
    this.#word(last)
    state[2] = (state[2] ?? 0) ^ 0xee
    rounds(state, 4)
    this.out[0] = this.#half
    state[1] = (state[1] ?? 0) ^ 0xdd
    rounds(state, 4)
    this.out[1] = this.#half
  }

  get #half(): number {
    const state = this.#state
    return (state[1] ?? 0) ^ (state[3] ?? 0)
  }
}

function rounds(state: Int32Array, count: number): void {
  let v0 = state[0] ?? 0
  let v1 = state[1] ?? 0
  let v2 = state[2] ?? 0
  let v3 = state[3] ?? 0
  for (let round = 0; round < count; round++) {
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
  }
  state[0] = v0
  state[1] = v1
  state[2] = v2
  state[3] = v3
}
