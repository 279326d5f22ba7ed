// What the gRPC programs of the tests share: the methods of their service, and messages as JSON or as bytes.
//
// Generic handlers: bytes go in and come out, and no schema is compiled.

import type { MethodDefinition } from '@grpc/grpc-js'

export const SERVICE = 'mesh.Test'

type Method = MethodDefinition<Buffer, Buffer>

const method = (name: string, asks: boolean, answers: boolean): Method => ({
  path: `/${SERVICE}/${name}`,
  requestStream: asks,
  responseStream: answers,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
})

export const METHODS: Readonly<
  Record<'who' | 'end' | 'stall' | 'many' | 'collect' | 'chat', Method>
> = {
  /** Says who answers, after `x-ms`; the call's `x-id` is written down. */
  who: method('Who', false, false),
  /** Ends as the message says (Ending). */
  end: method('End', false, false),
  /** Never answers. */
  stall: method('Stall', false, false),
  /** So many messages, as the message says (Series). */
  many: method('Many', false, true),
  /** How many messages came, and the sum over them in their order (Collected). */
  collect: method('Collect', true, false),
  /** Every message comes back. */
  chat: method('Chat', true, true),
}

export interface Ending {
  readonly code: number
  readonly details: string
  /** Bytes, if the name ends in `-bin`. */
  readonly trailers: Readonly<Record<string, string>>
  /** The metadata of the call goes back in the first metadata of the response. */
  readonly echo?: boolean
}

export interface Series {
  readonly count: number
  readonly size: number
}

export interface Collected {
  readonly count: number
  readonly sha256: string
}

/** What a server says of a call that it has not answered. */
export interface Stalled {
  /** Milliseconds that it was given, as it came. */
  readonly given: number
  /** Since 1970, when it was seen to be cancelled; 0 if it was not. */
  readonly cancelledAt: number
}

export interface GrpcState {
  readonly calls: number
  readonly stalled: Readonly<Record<string, Stalled>>
  /** Calls of any kind that are under way. */
  readonly open: number
}

export function same(bytes: Buffer): Buffer {
  return bytes
}

export function packed(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/** The message of that number in a series: the number, then bytes that follow from it. */
export function messageOf(at: number, size: number): Buffer {
  const message = Buffer.alloc(size, at % 251)
  message.writeUInt32BE(at, 0)
  return message
}
