// Header lists as tests write them, given to a builder as a decoder would, and what became of them.

import { Event } from '../../../../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../../../../src/proxy/http/h1/request-reader.ts'
import { ResponseReader } from '../../../../../src/proxy/http/h1/response-reader.ts'
import { DEFAULT_H2_LIMITS } from '../../../../../src/proxy/http/h2/h2-limits.ts'
import { HeadBuilder } from '../../../../../src/proxy/http/h2/head-builder.ts'
import { HeaderField } from '../../../../../src/proxy/http/h2/hpack/header-field.ts'
import { judgeName, judgeValue } from '../../../../../src/proxy/http/h2/hpack/judgement.ts'
import { ALL_OCTETS, OCTETS } from '../../../../../src/proxy/http/h2/hpack/octets.ts'
import { Head } from '../../../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../../../src/proxy/http/limits.ts'
import { Refusal, refusalName } from '../../../../../src/proxy/http/refusal.ts'

export type Pair = readonly [name: string, value: string]
export type List = readonly Pair[]
export type What = 'request' | 'response' | 'trailers'

export interface Circumstances {
  readonly isEnd?: boolean
  readonly asked?: number
  readonly builder?: HeadBuilder
  readonly head?: Head
  /** The names of those that are to be kept out of tables. */
  readonly sensitive?: readonly string[]
}

/** As a decoder hands it out, judged by itself. */
export function headerField(name: string, value: string): HeaderField {
  // Not at the start, so that an offset taken for a length shows.
  const field = new HeaderField(Buffer.from(`\0\0\0${name}: ${value}\r\n`, 'latin1'))
  field.start = 3
  field.nameLength = name.length
  field.valueLength = value.length
  judgeName(field, octetsOf(name))
  judgeValue(field, octetsOf(value))
  return field
}

function octetsOf(text: string): number {
  let octets = ALL_OCTETS
  for (const byte of Buffer.from(text, 'latin1')) octets &= OCTETS[byte] ?? 0
  return octets
}

/** `a: b` for each, the name up to the first colon behind its first character. */
export function list(...lines: readonly string[]): List {
  return lines.map((line) => {
    const colon = line.indexOf(':', 1)
    return [line.slice(0, colon), line.slice(colon + 2)]
  })
}

export const GET: List = list(':method: GET', ':scheme: http', ':authority: a', ':path: /')
export const OK: List = list(':status: 200')

/** Why it was refused; undefined if it was not. */
export function build(what: What, fields: List, given: Circumstances = {}): string | undefined {
  const builder = given.builder ?? new HeadBuilder(DEFAULT_H2_LIMITS)
  // One and the same object, as of literals that go into no table.
  const reused = headerField('', '')
  builder.begin(given.head ?? new Head(), what, given.asked ?? 0)
  for (const [name, value] of fields) {
    const isSensitive = given.sensitive?.includes(name) === true
    builder.field(Object.assign(reused, headerField(name, value), { isSensitive }))
    reused.bytes.fill(0xff)
  }
  const refusal = builder.end(given.isEnd ?? what === 'trailers')
  return refusal === Refusal.none ? undefined : refusalName(refusal)
}

/** The head that became of it; it must not be refused. */
export function built(what: What, fields: List, given: Circumstances = {}): Head {
  const head = given.head ?? new Head()
  const refusal = build(what, fields, { ...given, head })
  if (refusal !== undefined) throw new Error(`${refusal}: ${JSON.stringify(fields)}`)
  return head
}

export function textOf(head: Head): string {
  return head.text(head.start, head.end)
}

/** What the other codec's readers make of a text; the name of the reason if they refuse it. */
export function readText(what: What, text: string, asked = 0): Head | string {
  const bytes = Buffer.from(text, 'latin1')
  if (what === 'request') {
    const reader = new RequestReader(DEFAULT_LIMITS)
    const event = reader.read(bytes, 0, bytes.length)
    if (event === Event.head && reader.position === bytes.length) return reader.head
    return event === Event.refused ? refusalName(reader.refusal) : 'more'
  }
  const reader = new ResponseReader(DEFAULT_LIMITS)
  reader.expect(asked)
  const event = reader.read(bytes, 0, bytes.length)
  const isHead = event === Event.head || event === Event.interim
  if (isHead && reader.position === bytes.length) return reader.head
  return event === Event.refused ? refusalName(reader.refusal) : 'more'
}

/** Everything that a head says, but for framing. */
export function conclusionsOf(head: Head): Record<string, unknown> {
  const { count, seen } = head
  const from = (position: number): number => position - head.start
  return {
    fieldsStart: from(head.fieldsStart),
    end: from(head.end),
    minor: head.minor,
    method: head.method,
    methodText: head.methodText,
    target: head.target,
    targetForm: head.targetForm,
    authority: head.authority,
    status: head.status,
    upgrade: head.upgrade,
    trailersWelcome: head.trailersWelcome,
    count,
    seen,
    repeated: head.repeated,
    spans: Array.from(head.spans.subarray(0, count * 4), from),
    kinds: [...head.kinds.subarray(0, count)],
    nominated: [...head.nominated.subarray(0, count)],
    firsts: [...head.firsts].filter((_, code) => (seen & (1 << code)) !== 0),
    fields: fieldsOf(head),
  }
}

export function fieldsOf(head: Head): [string, string][] {
  return Array.from({ length: head.count }, (_, i) => [head.nameAt(i), head.valueAt(i)])
}
