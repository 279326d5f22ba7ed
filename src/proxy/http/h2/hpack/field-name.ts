// What the encoder knows of names ahead of time: their place in the static table, and whether their values are likely to
// come again.
//
// Those that the codec recognises are found by their code, others by a hash of their bytes.

import { FIELD_NAMES } from '../../fields.ts'
import { lower } from '../../head.ts'
import { type HeaderField, Pseudo } from './header-field.ts'
import { STATIC_FIELDS } from './static-table.ts'

/** How a field is written that is in no table. */
export const Indexing = {
  /** Into the table, as long as values of that name have come again. */
  adaptive: 0,
  /** Only its name is worth a place in the table: the value is another each time. */
  nameOnly: 1,
  /** Short values can be guessed, and the size of a block tells who guessed right (RFC 7541 section 7.1.3). */
  secretIfShort: 2,
  secret: 3,
} as const
export type Indexing = (typeof Indexing)[keyof typeof Indexing]

const UNIQUE: readonly string[] = [
  'age',
  'b3',
  'content-range',
  'etag',
  'expires',
  'grpc-message',
  'grpc-timeout',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'range',
  'traceparent',
  'tracestate',
  'x-b3-parentspanid',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-upstream-service-time',
  'x-request-id',
]
const SECRET: readonly string[] = ['authorization', 'proxy-authorization']
const SECRET_IF_SHORT: readonly string[] = ['cookie', 'set-cookie']

export class FieldName {
  /** Not 0, and of no other name. */
  readonly id: number
  /** In lower case. */
  readonly bytes: Buffer
  readonly hash: number
  readonly indexing: Indexing
  /** Where the static table has it first and last; 0 if it has not. */
  readonly first: number
  readonly last: number
  /** The static table has it with values. */
  readonly hasValues: boolean

  constructor(id: number, name: string) {
    this.id = id
    this.bytes = Buffer.from(name, 'latin1')
    this.hash = nameHash(this.bytes, 0, this.bytes.length)
    this.indexing = indexingOf(name)
    const its = STATIC_FIELDS.map((field) => nameOf(field) === name)
    this.first = Math.max(0, its.indexOf(true))
    this.last = Math.max(0, its.lastIndexOf(true))
    this.hasValues = STATIC_FIELDS[this.last]!.valueLength > 0
  }
}

function nameOf(field: HeaderField): string {
  return field.bytes.toString('latin1', 0, field.nameLength)
}

function indexingOf(name: string): Indexing {
  if (UNIQUE.includes(name)) return Indexing.nameOnly
  if (SECRET.includes(name)) return Indexing.secret
  return SECRET_IF_SHORT.includes(name) ? Indexing.secretIfShort : Indexing.adaptive
}

/** Of the name in lower case. */
export function nameHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ lower(bytes[i]!), 0x01000193)
  return hash ^ (hash >>> 15)
}

const PSEUDO_NAMES: readonly string[] = Object.keys(Pseudo).map((key) => `:${key}`)

const KNOWN: ReadonlyMap<string, FieldName> = makeKnown()
const SLOTS = 512
const BY_HASH: readonly (FieldName | undefined)[] = makeSlots()

/** By code of http/fields.ts. */
export const NAMES_BY_KIND: readonly FieldName[] = FIELD_NAMES.map((name) => KNOWN.get(name)!)
/** By {@link Pseudo}. */
export const NAMES_BY_PSEUDO: readonly FieldName[] = PSEUDO_NAMES.map((name) => KNOWN.get(name)!)

function makeKnown(): Map<string, FieldName> {
  const names = [UNIQUE, SECRET, SECRET_IF_SHORT, FIELD_NAMES, PSEUDO_NAMES].flat()
  names.push(...STATIC_FIELDS.slice(1).map(nameOf))
  return new Map([...new Set(names)].map((name, i) => [name, new FieldName(i + 1, name)]))
}

/** Each in the slot that its hash says or, if that is taken, in the next free one. */
function makeSlots(): (FieldName | undefined)[] {
  const slots = new Array<FieldName | undefined>(SLOTS).fill(undefined)
  for (const name of KNOWN.values()) {
    let slot = name.hash & (SLOTS - 1)
    while (slots[slot] !== undefined) slot = (slot + 1) & (SLOTS - 1)
    slots[slot] = name
  }
  return slots
}

/** What is known of the name of these bytes, of that hash. */
export function knownName(
  hash: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): FieldName | undefined {
  let slot = hash & (SLOTS - 1)
  for (;;) {
    const name = BY_HASH[slot]
    if (name === undefined) return undefined
    if (name.hash === hash && isName(bytes, start, end, name.bytes)) return name
    slot = (slot + 1) & (SLOTS - 1)
  }
}

function isName(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false
  for (let i = 0; i < name.length; i++) if (lower(bytes[start + i]!) !== name[i]) return false
  return true
}
