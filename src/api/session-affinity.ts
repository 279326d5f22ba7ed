// `loadBalancer.sessionAffinity` of a TrafficPolicy: by what clients stay with an endpoint.
//
// A name that could never hold clients together is refused: it would only show in that nothing stays where it was.

import { type Millis, readDuration } from '../lib/duration.ts'
import type { Problems } from '../lib/problems.ts'
import { join, readFields, readRequiredFields } from '../lib/shape.ts'
import { readToken } from './http-words.ts'
import { NEEDS_REQUESTS } from './request-parts.ts'
import { DEFAULT_LOAD_BALANCER, type SessionAffinity } from './resources.ts'

const KINDS = ['cookie', 'header', 'sourceIP']
/** They speak of a message or a connection, not of a client. */
const NOT_OF_CLIENTS = [
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
/** Browsers keep no cookie for longer (RFC 6265bis section 5.5). */
const LONGEST_TTL: Millis = 400 * 24 * 3_600_000

/** `seesRequests` is false where the policy itself says that connections are balanced. */
export function readSessionAffinity(
  value: unknown,
  path: string,
  problems: Problems,
  seesRequests: boolean,
): SessionAffinity {
  const none = DEFAULT_LOAD_BALANCER.affinity
  if (value === undefined) return none
  const fields = readFields(value, path, KINDS, problems)
  if (fields.size !== 1) problems.add(path, `must be one of ${KINDS.join(', ')}`, value)
  readFields(fields.get('sourceIP'), join(path, 'sourceIP'), [], problems)
  let found: SessionAffinity = fields.has('sourceIP') ? { kind: 'sourceIp' } : none
  for (const key of ['header', 'cookie'] as const) {
    if (!fields.has(key)) continue
    const read = key === 'header' ? readHeader : readCookie
    found = read(fields.get(key), join(path, key), problems)
    if (!seesRequests) problems.add(join(path, key), NEEDS_REQUESTS)
  }
  return found
}

function readHeader(value: unknown, path: string, problems: Problems): SessionAffinity {
  const name = readToken(value, path, problems).toLowerCase()
  if (NOT_OF_CLIENTS.includes(name)) {
    problems.add(path, 'must be a header that says something of the client', value)
  }
  return { kind: 'header', name }
}

function readCookie(value: unknown, path: string, problems: Problems): SessionAffinity {
  const fields = readRequiredFields(value, path, ['name', 'ttl'], problems)
  const name = readToken(fields.get('name'), join(path, 'name'), problems)
  if (/^__(?:host|secure)-/i.test(name)) {
    const message = 'must not begin with __Host- or __Secure-, which browsers take from HTTPS only'
    problems.add(join(path, 'name'), message, name)
  }
  const range = { max: LONGEST_TTL, orZero: true }
  const ttl = readDuration(fields.get('ttl'), join(path, 'ttl'), problems, 0, range)
  return { kind: 'cookie', name, ttl }
}
