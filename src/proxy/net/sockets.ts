// Which sockets this process uses: libuv handles where this Node.js has them as we know them, streams elsewhere.
//
// Decided once at start and said in the log. Nothing else knows that there are two.

import type { Bind } from './bound-handle.ts'
import type { Sockets } from './connection.ts'
import { type Internals, loadInternals } from './node-internals.ts'
import { RawSockets } from './raw-sockets.ts'
import { StreamSockets } from './stream-sockets.ts'

export interface SocketChoice {
  readonly sockets: Sockets
  /** Why the faster kind was not taken; empty if it was. */
  readonly reason: string
}

/**
 * `auto` prefers handles; `streams` never touches the internals. `bind` says where bound handles come from; this
 * process binds them itself without it.
 */
export function chooseSockets(
  wanted: 'auto' | 'streams',
  load: () => Internals | string = loadInternals,
  bind?: Bind,
): SocketChoice {
  if (wanted === 'streams') return { sockets: new StreamSockets(bind), reason: 'configured' }
  const internals = load()
  return typeof internals === 'string'
    ? { sockets: new StreamSockets(bind), reason: internals }
    : { sockets: new RawSockets(internals, bind), reason: '' }
}
