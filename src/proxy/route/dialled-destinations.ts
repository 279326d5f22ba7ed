// Destinations that traffic names, not discovery: addresses outside the mesh, and the ports of the pod's application.
//
// Each is remembered for as long as it is used, because its connections are shared by requests and because what was
// learned of it spares work; not longer, and not more of them than a number, because traffic could name any.

import { formatAddress, type SocketAddress } from '../../lib/address.ts'
import type { Millis } from '../../lib/duration.ts'
import type { Destination } from '../stack/destination.ts'

const MOST = 1024
/** One that nothing is open to is forgotten after so long; its idle connections are closed then. */
const FORGET_AFTER: Millis = 120_000

interface Entry {
  readonly destination: Destination
  usedAt: Millis
}

export class DialledDestinations {
  readonly #make: (address: SocketAddress) => Destination
  /** In the order of their use: the one unused for longest comes first. */
  readonly #entries = new Map<string, Entry>()

  constructor(make: (address: SocketAddress) => Destination) {
    this.#make = make
  }

  get size(): number {
    return this.#entries.size
  }

  /** The destination of that address; `now` is the clock's. */
  at(address: SocketAddress, now: Millis): Destination {
    const key = formatAddress(address.ip, address.port)
    const known = this.#entries.get(key)
    const entry = known ?? { destination: this.#make(address), usedAt: now }
    entry.usedAt = now
    if (known !== undefined) this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size > MOST) this.#forgetOne(entry)
    return entry.destination
  }

  *all(): Iterable<Destination> {
    for (const { destination } of this.#entries.values()) yield destination
  }

  sweep(now: Millis): void {
    for (const [key, { destination, usedAt }] of this.#entries) {
      if (now - usedAt < FORGET_AFTER) break
      if (isBusy(destination)) continue
      this.#entries.delete(key)
      retire(destination)
    }
  }

  /** Who dials many addresses must not have those forgotten that are in use, whose limits would begin anew. */
  #forgetOne(latest: Entry): void {
    let gone: string | undefined
    for (const [key, entry] of this.#entries) {
      gone ??= key
      if (entry === latest || isBusy(entry.destination)) continue
      gone = key
      break
    }
    const entry = gone === undefined ? undefined : this.#entries.get(gone)
    if (gone === undefined || entry === undefined) return
    this.#entries.delete(gone)
    retire(entry.destination)
  }
}

function isBusy({ picker }: Destination): boolean {
  return picker.endpoints.some(({ open }) => open > 0)
}

/** What is under way goes on. */
function retire({ picker }: Destination): void {
  for (const endpoint of picker.endpoints) endpoint.retirePools()
}
