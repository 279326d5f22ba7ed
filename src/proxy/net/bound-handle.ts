// A bound TCP handle that nobody listens on yet: what several processes can share.
//
// Binding and listening are two steps here because the process that binds an address need not be the one that takes
// its connections: a supervisor binds once and hands the handle to each of its workers, which all accept from it.

import type { SocketAddress } from '../../lib/address.ts'
import { type AddressInfo, errnoName, type Internals, type TcpHandle } from './node-internals.ts'

/** Gives the bound handle of an address; rejects with an errno error. Whoever gets it closes it. */
export type Bind = (address: SocketAddress) => Promise<TcpHandle>

/** Binds an address; throws an errno error if that is refused. */
export function bindHandle(internals: Internals, { ip, port }: SocketAddress): TcpHandle {
  const handle = internals.newServer()
  must(handle, ip.includes(':') ? handle.bind6(ip, port, 0) : handle.bind(ip, port))
  // libuv keeps an address in use to itself until it is asked where the handle is bound.
  must(handle, handle.getsockname({}))
  return handle
}

/** The port that the kernel chose where 0 was asked for. */
export function boundPort(handle: TcpHandle): number {
  const bound: AddressInfo = {}
  must(handle, handle.getsockname(bound))
  return bound.port ?? 0
}

/** Closes the handle and throws an errno error unless the status is 0. */
export function must(handle: TcpHandle, status: number): void {
  if (status === 0) return
  handle.close()
  throw errnoError(errnoName(status))
}

/** An error as Node's own: its `code` is the errno's name. */
export function errnoError(code: string): Error {
  return Object.assign(new Error(code), { code })
}
