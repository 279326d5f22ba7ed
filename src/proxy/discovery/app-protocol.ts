// A Service port's `appProtocol` and what it means here: HTTP/1.1, or bytes that nobody looks into.
//
// Words are those of Kubernetes (its own with the prefix `kubernetes.io/`, and IANA's service names) and those that
// Istio and Linkerd users write. Whoever writes another word gets what everybody gets who writes none: a look at the
// first bytes, which is right for every protocol and costs little.

import type { Protocol } from '../stack/destination.ts'

/** With HTTP/1.1 on the wire. */
const HTTP = ['http', 'kubernetes.io/ws']

const OPAQUE = [
  // HTTP/2: carried, and not yet balanced by request.
  ...['http2', 'h2c', 'kubernetes.io/h2c', 'grpc'],
  // Encrypted by the application.
  ...['https', 'tls', 'kubernetes.io/wss', 'grpcs', 'ldaps', 'amqps'],
  ...['tcp', 'opaque', 'linkerd.io/opaque', 'linkerd.io/tcp'],
  ...['mysql', 'postgresql', 'postgres', 'mongo', 'mongodb', 'redis', 'memcached', 'cassandra'],
  ...['amqp', 'kafka', 'nats', 'mqtt'],
  ...['smtp', 'imap', 'pop3', 'ssh', 'ftp', 'telnet', 'ldap', 'dns'],
]

const PROTOCOLS: ReadonlyMap<string, Protocol> = new Map<string, Protocol>([
  ...HTTP.map((word) => [word, 'http'] as const),
  ...OPAQUE.map((word) => [word, 'opaque'] as const),
])

/** Empty for a word that says nothing to us. */
export function protocolOf(appProtocol: string): Protocol {
  return PROTOCOLS.get(appProtocol.toLowerCase()) ?? ''
}
