// Which sockets this process uses: libuv handles where this Node.js has them as we know them, streams elsewhere.
//
// Decided once at start and said in the log. Nothing else knows that there are two.

import type { Sockets } from './connection.ts'
import { type Internals, loadInternals } from './node-internals.ts'
import { RawSockets } from './raw-sockets.ts'
import { StreamSockets } from './stream-sockets.ts'

export interface SocketChoice {
  readonly sockets: Sockets
  /** Why the faster kind was not taken; empty if it was. */
  readonly reason: string
}

/** `auto` prefers handles; `streams` never touches the internals. */
export function chooseSockets(
  wanted: 'auto' | 'streams',
  load: () => Internals | string = loadInternals,
): SocketChoice {
  if (wanted === 'streams') return { sockets: new StreamSockets(), reason: 'configured' }
  const internals = load()
  return typeof internals === 'string'
    ? { sockets: new StreamSockets(), reason: internals }
    : { sockets: new RawSockets(internals), reason: '' }
}
