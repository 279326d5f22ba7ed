// Which destination an address means: the answer to "the application dialled this, where does it go?".
//
// A table is a snapshot, made by discovery and replaced whole. Looking up is one map access a connection.

import { formatAddress } from '../../lib/address.ts'
import type { Destination } from '../stack/destination.ts'

export class RouteTable {
  /** By `ip:port`: Services' addresses and, below them in rank, endpoints' own. */
  readonly #byAddress: ReadonlyMap<string, Destination>
  /** By `name.namespace:port`. */
  readonly #byName: ReadonlyMap<string, Destination>
  readonly #serviceIps: ReadonlySet<string>

  constructor(
    byAddress: ReadonlyMap<string, Destination> = new Map(),
    byName: ReadonlyMap<string, Destination> = new Map(),
    serviceIps: ReadonlySet<string> = new Set(),
  ) {
    this.#byAddress = byAddress
    this.#byName = byName
    this.#serviceIps = serviceIps
  }

  find(ip: string, port: number): Destination | undefined {
    return this.#byAddress.get(formatAddress(ip, port))
  }

  named(service: string, port: number): Destination | undefined {
    return this.#byName.get(`${service}:${port}`)
  }

  /** True for a Service's virtual address, whatever the port: nobody listens there but the mesh. */
  isServiceIp(ip: string): boolean {
    return this.#serviceIps.has(ip)
  }

  /** Every Service port. */
  services(): Iterable<Destination> {
    return this.#byName.values()
  }
}
