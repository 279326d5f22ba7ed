// Where a redirected connection was going before our iptables rules turned it to us.
//
// The kernel's connection tracking knows, and a socket option tells. A connection that was made to our port
// directly has our own address as its destination: that is a loop or a probe, never traffic, and it is refused
// here. Explicit listeners and tests do not come this way.

import { formatAddress, type SocketAddress } from '../../lib/address.ts'
import { MeshError } from '../../lib/errors.ts'
import { originalDestination } from '../../lib/socket-option.ts'
import type { Connection } from './connection.ts'

/** Asks whom a connection was meant for; throws MeshError `original-destination-unknown` or `proxy-loop`. */
export type DestinationSource = (connection: Connection) => SocketAddress

export const redirectedFrom: DestinationSource = (connection) => {
  const local = connection.local()
  if (local === undefined)
    throw new MeshError('original-destination-unknown', { errno: 'ENOTCONN' })
  // An IPv4 client of a dual-stack socket is known to the kernel's IPv4 side: its address tells which to ask.
  const family = local.ip.includes(':') ? 6 : 4
  const original = originalDestination(connection.fd, family)
  if (original.ip === local.ip && original.port === local.port) {
    throw new MeshError('proxy-loop', { target: formatAddress(local.ip, local.port) })
  }
  return original
}
