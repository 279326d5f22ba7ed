// A Service port's `appProtocol` and what it means here: HTTP in one version or the other, or bytes that nobody looks
// into.
//
// Words are those of Kubernetes (its own with the prefix `kubernetes.io/`, and IANA's service names) and those that
// Istio and Linkerd users write. Whoever writes another word gets what everybody gets who writes none: a look at the
// first bytes, which is right for every protocol and costs little.

import type { Protocol, Wire } from '../stack/destination.ts'

/** What a port's endpoints speak. */
export interface Spoken {
  readonly protocol: Protocol
  /** Undefined where nothing is said of it. */
  readonly wire: Wire | undefined
}

const HTTP1 = ['http', 'kubernetes.io/ws']

/** In plain text, and known beforehand (RFC 9113 section 3.3). */
const HTTP2 = ['http2', 'h2c', 'kubernetes.io/h2c', 'grpc']

const OPAQUE = [
  // Encrypted by the application.
  ...['https', 'tls', 'kubernetes.io/wss', 'grpcs', 'ldaps', 'amqps'],
  ...['tcp', 'opaque', 'linkerd.io/opaque', 'linkerd.io/tcp'],
  ...['mysql', 'postgresql', 'postgres', 'mongo', 'mongodb', 'redis', 'memcached', 'cassandra'],
  ...['amqp', 'kafka', 'nats', 'mqtt'],
  ...['smtp', 'imap', 'pop3', 'ssh', 'ftp', 'telnet', 'ldap', 'dns'],
]

const UNKNOWN: Spoken = { protocol: '', wire: undefined }

const SPOKEN: ReadonlyMap<string, Spoken> = new Map<string, Spoken>([
  ...HTTP1.map((word) => [word, { protocol: 'http', wire: 'http1' }] as const),
  ...HTTP2.map((word) => [word, { protocol: 'http', wire: 'http2' }] as const),
  ...OPAQUE.map((word) => [word, { protocol: 'opaque', wire: undefined }] as const),
])

/** Nothing is known by a word that says nothing to us. */
export function spokenOn(appProtocol: string): Spoken {
  return SPOKEN.get(appProtocol.toLowerCase()) ?? UNKNOWN
}
