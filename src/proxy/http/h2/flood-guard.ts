// Counts what a peer does that costs us and brings nothing, and says when it is enough.
//
// Every frame that carries something pays for one that does not, because well-behaved peers send WINDOW_UPDATE and PING
// in step with what they receive; beyond that so many a second are allowed. SETTINGS go with nothing, and are not paid
// for. Streams that a client gives up at once are held against all that it opened in the same second: calls that a
// deadline cancels together are no attack. Those that we reset for its mistakes are counted too: that costs as much
// (CVE-2025-8671).

import type { H2LimitName, H2Limits } from './h2-limits.ts'

/** What useful frames can pay in advance: the WINDOW_UPDATE for a large window that was filled at once. */
const MOST_CREDIT = 10_000
/** To look at so many streams is as much of a nuisance as one frame. */
const STREAMS_LOOKED_AT = 128
/** A stream is given up early if it is reset within so many sweeps of its beginning. */
const EARLY = 1

export class FloodGuard {
  readonly #limits: H2Limits
  #credit = 0
  #nuisances = 0
  #faults = 0
  #opened = 0
  #givenUp = 0

  constructor(limits: H2Limits) {
    this.#limits = limits
  }

  /** A frame that carries something, in either direction. */
  useful(): void {
    if (this.#credit < MOST_CREDIT) this.#credit += 1
  }

  /** One that does not. */
  nuisance(): H2LimitName | undefined {
    if (this.#credit > 0) {
      this.#credit -= 1
      return undefined
    }
    return this.#counted(1)
  }

  /**
   * SETTINGS with so many streams open. A new window has every stream looked at, and may have each send a frame of a
   * byte: such frames must not pay for the next SETTINGS, and these count for more the more streams there are.
   */
  settings(open: number): H2LimitName | undefined {
    return this.#counted(1 + Math.floor(open / STREAMS_LOOKED_AT))
  }

  #counted(nuisances: number): H2LimitName | undefined {
    this.#nuisances += nuisances
    return this.#nuisances > this.#limits.maxControlFrames ? 'control-frames' : undefined
  }

  opened(): void {
    this.#opened += 1
  }

  /** The client reset a stream of that age, in sweeps. */
  givenUp(age: number): H2LimitName | undefined {
    if (age > EARLY) return undefined
    this.#givenUp += 1
    const { minResets, maxResetShare } = this.#limits
    const isTooMany = this.#givenUp >= minResets && this.#givenUp > this.#opened * maxResetShare
    return isTooMany ? 'reset-share' : undefined
  }

  /** We had to reset one because of the peer. */
  fault(): H2LimitName | undefined {
    this.#faults += 1
    return this.#faults > this.#limits.maxFaults ? 'faults' : undefined
  }

  /** A second has passed. */
  sweep(): void {
    this.#nuisances = 0
    this.#faults = 0
    this.#opened = 0
    this.#givenUp = 0
  }
}
