// Messages as the HTTP/2 side hands them over: a head in bytes of its own whose framing only the codec knows, content
// in pieces, trailers apart. And a connection that keeps what is written to it, byte for byte.

import { Field, fieldBits } from '../../../src/proxy/http/fields.ts'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../../src/proxy/http/h1/request-reader.ts'
import { ResponseReader } from '../../../src/proxy/http/h1/response-reader.ts'
import { askedBy } from '../../../src/proxy/http/h1/response-rules.ts'
import { trailerParser } from '../../../src/proxy/http/h1/trailers.ts'
import { Framing, type Head } from '../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import type { WriteResult } from '../../../src/proxy/net/connection.ts'
import { FakeConnection } from '../../support/fake-sockets.ts'

const EXPECT = fieldBits(Field.expect)

const lines = (...all: readonly string[]): Buffer =>
  Buffer.from(`\0\0\0${[...all, '', ''].join('\r\n')}`, 'latin1')

export interface Asked {
  /** The request line without its version. */
  readonly line?: string
  readonly fields?: readonly string[]
  /** Headers did not end the stream. */
  readonly hasBody?: boolean
}

/** A request's head. With a body and no Content-Length only the stream says where it ends. */
export function streamedRequest({
  line = 'POST /a',
  fields = [],
  hasBody = true,
}: Asked = {}): Head {
  const reader = new RequestReader(DEFAULT_LIMITS)
  const bytes = lines(`${line} HTTP/1.1`, 'host: shop', ...fields)
  if (reader.read(bytes, 3, bytes.length) !== Event.head) throw new Error(`refused: ${line}`)
  return streamed(reader.head, hasBody)
}

/** The same of a response to such a request. */
export function streamedResponse(
  status: number,
  fields: readonly string[] = [],
  hasBody = true,
  request?: Head,
): Head {
  const reader = new ResponseReader(DEFAULT_LIMITS)
  reader.expect(request === undefined ? 0 : askedBy(request))
  const bytes = lines(`HTTP/1.1 ${status} X`, ...fields)
  const event = reader.read(bytes, 3, bytes.length)
  if (event !== Event.head && event !== Event.interim) throw new Error(`refused: ${status}`)
  return streamed(reader.head, hasBody)
}

function streamed(head: Head, hasBody: boolean): Head {
  head.isStable = true
  if (!hasBody) head.framing = Framing.none
  else if (head.framing !== Framing.length) head.framing = Framing.stream
  head.expectsContinue = hasBody && head.has(EXPECT)
  return head
}

/** Trailers as they were read, with a name for each value. */
export function trailersOf(fields: readonly (readonly [string, string])[]): Head {
  const parser = trailerParser(DEFAULT_LIMITS)
  const bytes = lines(...fields.map(([name, value]) => `${name}: ${value}`))
  parser.begin()
  if (parser.read(bytes, 3, bytes.length) !== bytes.length) throw new Error('no trailers')
  return parser.head
}

export class Wire extends FakeConnection {
  /** The bytes of each write, as they were then. */
  readonly writes: string[] = []
  /** The bytes themselves: they must stay as they are while a write is pending. */
  last: Buffer = Buffer.alloc(0)

  override write(chunk: Uint8Array): WriteResult {
    const result = super.write(chunk)
    this.last = chunk as Buffer
    this.writes.push(this.last.toString('latin1'))
    return result
  }

  get sent(): string {
    return this.writes.join('')
  }

  /** What was written since the last time. */
  take(): string[] {
    return this.writes.splice(0)
  }

  /** As `arrive`, but any bytes. */
  receive(text: string): void {
    this.receiver.onData(this, Buffer.from(text, 'latin1'))
  }
}
