// The addresses of this pod: what tells a connection that is meant for it from one that only came by.
//
// The kernel is asked again when an address is not known, but not more than once a second, so that connections to
// foreign addresses do not cost a look at all interfaces each.

import { networkInterfaces } from 'node:os'
import { parseIp } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'

const REFRESH: Millis = 1000

export class LocalAddresses {
  readonly #clock: Clock
  #known: ReadonlySet<string> = new Set()
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  has(ip: string): boolean {
    if (ip.startsWith('127.')) return true
    if (!this.#known.has(ip) && this.#clock.now() - this.#askedAt >= REFRESH) this.#ask()
    return this.#known.has(ip)
  }

  #ask(): void {
    const found = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
    this.#known = new Set(found.map(({ address }) => parseIp(address) ?? address))
    this.#askedAt = this.#clock.now()
  }
}
