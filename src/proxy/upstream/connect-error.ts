// What a failed connect is called: the errno's name to the mesh's error.

import type { ErrorCode } from '../../lib/errors.ts'

const CONNECT_ERRORS: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: 'endpoint-refused',
  ETIMEDOUT: 'endpoint-timeout',
  EHOSTUNREACH: 'endpoint-unreachable',
  ENETUNREACH: 'endpoint-unreachable',
  EMFILE: 'connection-limit',
  ENFILE: 'connection-limit',
  // No address of that family to come from (IPv6 switched off), or no port left.
  EADDRNOTAVAIL: 'endpoint-unreachable',
}

export function connectError(errno: string): ErrorCode {
  return CONNECT_ERRORS[errno] ?? 'connect-failed'
}
