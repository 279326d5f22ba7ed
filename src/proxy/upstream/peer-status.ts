// What another sidecar says of a request that it could not give to its application (Proxy-Status, RFC 9209).
//
// Looked at only in answers of 502, 503 and 504 that have the field. Only what our own kind says counts: other proxies
// use the same words for connections that had carried something. What follows from it is left to the balancing.

import type { ErrorCode } from '../../lib/errors.ts'
import { Field } from '../http/h1/fields.ts'
import type { Head } from '../http/h1/head.ts'

const SAID =
  /^underpass; *error=(connection_refused|connection_timeout|destination_unavailable)(?:;|$)/

const ERRORS: Readonly<Record<string, ErrorCode>> = {
  connection_refused: 'endpoint-refused',
  connection_timeout: 'endpoint-timeout',
  destination_unavailable: 'connect-failed',
}

/** Why the application was not reached; undefined if it may have been. */
export function unreachedError(response: Head): ErrorCode | undefined {
  if (response.status > 504 || response.status < 502) return undefined
  // More than one proxy has spoken: who is meant cannot be told.
  if ((response.repeated & (1 << Field.proxyStatus)) !== 0) return undefined
  return ERRORS[SAID.exec(response.value(Field.proxyStatus) ?? '')?.[1] ?? '']
}
