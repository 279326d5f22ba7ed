// The listening addresses of a proxy with several workers: each bound once, here, and shared by all of them.
//
// The supervisor never listens on a handle; it keeps it for the workers that come later. While one worker is replaced
// the kernel goes on completing connections, and another worker takes them.

import { formatAddress, type SocketAddress } from '../../lib/address.ts'
import { bindHandle, errnoError } from '../net/bound-handle.ts'
import type { Internals, TcpHandle } from '../net/node-internals.ts'

export class Bindings {
  readonly #internals: Internals
  readonly #handles = new Map<string, TcpHandle>()
  #closed = false

  constructor(internals: Internals) {
    this.#internals = internals
  }

  /** The handle of an address that is wanted for the `nth` time; throws an errno error if it cannot be bound. */
  get(address: SocketAddress, nth: number): TcpHandle {
    // A worker that starts while the proxy drains.
    if (this.#closed) throw errnoError('ECANCELED')
    const key = `${formatAddress(address.ip, address.port)} ${nth}`
    const known = this.#handles.get(key)
    if (known !== undefined) return known
    const handle = bindHandle(this.#internals, address)
    this.#handles.set(key, handle)
    return handle
  }

  /** Lets go of all: an address is free when the last worker has closed it too. Safe to call twice. */
  close(): void {
    this.#closed = true
    for (const handle of this.#handles.values()) handle.close()
    this.#handles.clear()
  }
}
