// The gRPC service of the benchmark, on @grpc/grpc-js at both ends: a call with a small answer, and one that streams
// blocks. Messages are plain bytes, so that nothing but gRPC itself is in the way.

import type { MethodDefinition } from '@grpc/grpc-js'

type Method = MethodDefinition<Buffer, Buffer>

/** What a call for blocks gets. */
export const BLOCKS_A_CALL = 16

export const SERVICE: { readonly ask: Method; readonly blocks: Method } = {
  ask: method('Ask', false),
  blocks: method('Blocks', true),
}

/** Blocks are larger than some would let pass. */
export const OPTIONS = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
} as const

function method(name: string, isStream: boolean): Method {
  return {
    path: `/bench.Bench/${name}`,
    requestStream: false,
    responseStream: isStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
}

function asIs(bytes: Buffer): Buffer {
  return bytes
}
