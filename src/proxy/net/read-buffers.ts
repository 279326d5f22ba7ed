// The memory that connections read into: small pieces for connections at rest, large ones for bulk.
//
// Ten thousand idle connections must cost kilobytes each, and a bulk transfer wants few, large reads. So every
// connection starts with 2 KiB and gets 64 KiB while its reads fill what it has. Both kinds are reused; how many
// there can be is bounded by the number of connections. Which a connection has is decided in raw-connection.ts.

export const SMALL = 2048
export const LARGE = 65_536

const SMALL_PER_SLAB = 32
const LARGE_KEPT = 32

export class ReadBuffers {
  readonly #small: Buffer[] = []
  readonly #large: Buffer[] = []

  takeSmall(): Buffer {
    return this.#small.pop() ?? this.#cutSlab()
  }

  takeLarge(): Buffer {
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE)
  }

  giveBack(buffer: Buffer): void {
    if (buffer.length === SMALL) this.#small.push(buffer)
    else if (this.#large.length < LARGE_KEPT) this.#large.push(buffer)
  }

  // One allocation for many pieces: the runtime's bookkeeping for one would be a tenth of the piece.
  #cutSlab(): Buffer {
    const slab = Buffer.allocUnsafeSlow(SMALL * SMALL_PER_SLAB)
    for (let at = SMALL; at < slab.length; at += SMALL) {
      this.#small.push(slab.subarray(at, at + SMALL))
    }
    return slab.subarray(0, SMALL)
  }
}
