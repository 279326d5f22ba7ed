// A request of the simulation as the bytes of a real one, and what is read back from them.
//
// What the simulation itself must know of a request on its way through stages, retries and hops (until when its
// client waits) stands in a field, so that it goes wherever the request goes.

import { Event } from '../../src/proxy/http/h1/event.ts'
import { ResponseReader } from '../../src/proxy/http/h1/response-reader.ts'
import { Asked } from '../../src/proxy/http/h1/response-rules.ts'
import type { Head } from '../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../src/proxy/http/limits.ts'

/** What is left of a request's time, in milliseconds, as it travels. */
export const TIMEOUT_FIELD = 'x-envoy-expected-rq-timeout-ms'
const DUE_FIELD = 'simulated-due'
const TRACE_FIELD = 'traceparent'

export interface Message {
  readonly method: string
  readonly host: string
  /** A `traceparent`; empty for none. */
  readonly trace: string
  /** Until when its client waits, by the clock; infinite for as long as it takes. The mesh does not read it. */
  readonly due: number
  /** What is told of the time that is left, in milliseconds; infinite for nothing. */
  readonly timeout: number
}

export function renderRequest({ method, host, trace, due, timeout }: Message): Buffer {
  const lines = [`${method} /item HTTP/1.1`, `Host: ${host}`]
  if (trace !== '') lines.push(`${TRACE_FIELD}: ${trace}`)
  if (due < Number.POSITIVE_INFINITY) lines.push(`${DUE_FIELD}: ${due}`)
  if (timeout < Number.POSITIVE_INFINITY) {
    lines.push(`${TIMEOUT_FIELD}: ${Math.max(0, Math.floor(timeout))}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

/** What a request says; `timeout` is left to who sends it on, for it has grown less. */
export function readRequest(head: Head, timeout: number): Message {
  const due = fieldOf(head, DUE_FIELD)
  return {
    method: head.methodText,
    host: head.authority,
    trace: fieldOf(head, TRACE_FIELD) ?? '',
    due: due === undefined ? Number.POSITIVE_INFINITY : Number(due),
    timeout,
  }
}

/** The W3C form, from a number. */
export function traceOf(number: number): string {
  return `00-${number.toString(16).padStart(32, '0')}-${number.toString(16).padStart(16, '0')}-00`
}

const RESPONSES = new Map<number, Head>()

/** The head of a response of that status, read from the bytes of one. The same each time. */
export function responseHead(status: number): Head {
  const known = RESPONSES.get(status)
  if (known !== undefined) return known
  const reader = new ResponseReader(DEFAULT_LIMITS)
  reader.expect(Asked.nothing)
  const bytes = Buffer.from(`HTTP/1.1 ${status} Simulated\r\nContent-Length: 0\r\n\r\n`, 'latin1')
  if (reader.read(bytes, 0, bytes.length) !== Event.head) throw new Error(`no status: ${status}`)
  RESPONSES.set(status, reader.head)
  return reader.head
}

function fieldOf(head: Head, name: string): string | undefined {
  const index = head.find(name)
  return index < 0 ? undefined : head.valueAt(index)
}
