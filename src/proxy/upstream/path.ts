// The two ends of a connection, as the key that no other connection has at the same time: how a proxy recognises a
// connection that it made itself when it comes back to it.

import type { SocketAddress } from '../../lib/address.ts'

export function pathOf(from: SocketAddress, to: SocketAddress): string {
  return `${from.ip} ${from.port} ${to.ip} ${to.port}`
}
