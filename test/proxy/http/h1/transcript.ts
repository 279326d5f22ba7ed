// What a reader made of a stream of bytes: every message it told of, and how it ended. For tests and the fuzzer.
//
// Pieces are handed over in one buffer that is overwritten after every read, as a connection's read buffer is: a
// reader that kept an offset into it beyond the read would give itself away.

import { Event } from '../../../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../../../src/proxy/http/h1/request-reader.ts'
import { ResponseReader } from '../../../../src/proxy/http/h1/response-reader.ts'
import { Framing, type Head } from '../../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS, type Limits } from '../../../../src/proxy/http/limits.ts'
import { refusalName } from '../../../../src/proxy/http/refusal.ts'

export interface Message {
  /** `GET /` or `200 OK`. */
  readonly line: string
  readonly minor: number
  readonly authority: string
  readonly fields: readonly (readonly [string, string])[]
  readonly framing: number
  readonly persistent: boolean
  readonly upgrade: boolean
  readonly expectsContinue: boolean
  /** The body as it was handed out: with chunk lines and trailers unless decoded. */
  body: string
  trailers: readonly (readonly [string, string])[]
  /** The end was seen. */
  complete: boolean
}

export interface Transcript {
  readonly messages: Message[]
  /** The reason, or undefined. */
  refusal: string | undefined
  /** The bytes that were left to the caller of a tunnel. */
  rest: string | undefined
}

export interface Options {
  readonly limits?: Limits
  readonly decode?: boolean
  /** Responses: what was asked, in order. Nothing more is expected afterwards. */
  readonly asked?: readonly number[]
  /** The peer ends its side after the last byte. */
  readonly close?: boolean
}

type Reader = RequestReader | ResponseReader

/** Reads requests, given in pieces. */
export function readRequests(pieces: readonly Buffer[], options: Options = {}): Transcript {
  const reader = new RequestReader(options.limits ?? DEFAULT_LIMITS)
  const transcript = run(reader, pieces, options, () => undefined)
  if (options.close === true && transcript.refusal === undefined) {
    const refusal = reader.close()
    if (refusal !== 0) transcript.refusal = refusalName(refusal)
  }
  return transcript
}

/** Reads responses, given in pieces, to the requests in `options.asked`. */
export function readResponses(pieces: readonly Buffer[], options: Options = {}): Transcript {
  const reader = new ResponseReader(options.limits ?? DEFAULT_LIMITS)
  const asked = [...(options.asked ?? [0])]
  const expect = (): void => {
    const next = asked.shift()
    if (next !== undefined) reader.expect(next)
  }
  expect()
  const transcript = run(reader, pieces, options, expect)
  if (options.close === true && transcript.refusal === undefined) {
    const event = reader.close()
    const last = transcript.messages.at(-1)
    if (event === Event.end && last !== undefined) last.complete = true
    if (event === Event.refused) transcript.refusal = refusalName(reader.refusal)
  }
  return transcript
}

/** One piece a byte. */
export function singly(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte))
}

/** The bytes cut at the given positions. */
export function cutAt(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const edges = [0, ...positions, bytes.length]
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge))
}

function run(
  reader: Reader,
  pieces: readonly Buffer[],
  options: Options,
  ended: () => void,
): Transcript {
  const transcript: Transcript = { messages: [], refusal: undefined, rest: undefined }
  const scratch = Buffer.alloc(Math.max(0, ...pieces.map((piece) => piece.length)) + 7)
  for (const piece of pieces) {
    // Not at the start of the buffer, so that an offset taken for a length shows.
    piece.copy(scratch, 7)
    readPiece(reader, scratch, piece.length + 7, transcript, options, ended)
    scratch.fill(0x00)
    reader.release()
  }
  return transcript
}

function readPiece(
  reader: Reader,
  bytes: Buffer,
  end: number,
  transcript: Transcript,
  options: Options,
  ended: () => void,
): void {
  let at = 7
  let steps = 0
  for (;;) {
    if (++steps > 10 * (end + 10)) throw new Error('no end of events')
    const event = reader.read(bytes, at, end)
    if (reader.position < at || reader.position > end) throw new Error('position out of bounds')
    at = reader.position
    note(reader, event, transcript, options)
    if (event === Event.end) ended()
    if (event === Event.paused) {
      transcript.rest = (transcript.rest ?? '') + bytes.toString('latin1', at, end)
    }
    if (event === Event.more && at !== end) throw new Error('bytes were left behind')
    if (event === Event.more || event === Event.paused || event === Event.refused) return
  }
}

function note(reader: Reader, event: Event, transcript: Transcript, options: Options): void {
  const last = transcript.messages.at(-1)
  const body = reader.body
  if (event === Event.head || event === Event.interim) {
    if (event === Event.head) body.decode = options.decode === true
    transcript.messages.push(describe(reader.head, event === Event.interim))
  } else if (event === Event.body && last !== undefined) {
    if (body.sliceEnd <= body.sliceStart) throw new Error('an empty slice')
    last.body += body.slice.toString('latin1', body.sliceStart, body.sliceEnd)
  } else if (event === Event.end && last !== undefined) {
    last.complete = true
    last.trailers = body.trailers === undefined ? [] : fieldsOf(body.trailers)
  } else if (event === Event.refused) {
    transcript.refusal = refusalName(reader.refusal)
  }
}

function describe(head: Head, interim: boolean): Message {
  const request =
    head.methodEnd > head.start && !head.text(head.start, head.methodEnd).includes('/')
  return {
    line: request ? `${head.methodText} ${head.target}` : `${head.status} ${head.reason}`,
    minor: head.minor,
    authority: head.authority,
    fields: fieldsOf(head),
    framing: interim ? Framing.none : head.framing,
    persistent: head.persistent,
    upgrade: head.upgrade,
    expectsContinue: head.expectsContinue,
    body: '',
    trailers: [],
    complete: interim,
  }
}

export function fieldsOf(head: Head): [string, string][] {
  return Array.from({ length: head.count }, (_, i) => [head.nameAt(i), head.valueAt(i)])
}
