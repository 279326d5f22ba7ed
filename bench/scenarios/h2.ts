// Small requests where one side speaks HTTP/2, or both do; and gRPC.
//
// HTTP/1.1 to HTTP/2 has as many requests in flight as the others have: 64.

import type { Wires } from '../mode.ts'
import { NGHTTPD } from '../nghttpd.ts'
import { nodeHttp2 } from '../targets/node-http2.ts'
import { HTTP2, speaking, type Target } from '../targets/target.ts'
import { perByte, perCount } from './rate.ts'
import type { Scenario } from './scenario.ts'

const SERVER = NGHTTPD === undefined ? 'own server' : 'nghttpd'

function between(wires: Wires, scenario: Scenario): Scenario {
  return {
    ...scenario,
    contenders: (targets) => scenario.contenders(speaking(targets, wires)),
  }
}

export const h2: Scenario = between(
  HTTP2,
  perCount(
    {
      name: 'h2',
      title: `HTTP/2 on both sides, small answers (own client, 16 streams a connection; ${SERVER})`,
      connections: 4,
    },
    'h2',
    'h2-requests',
    'request',
  ),
)

export const h1ToH2: Scenario = between(
  { client: 'http1', server: 'http2' },
  perCount(
    {
      name: 'h1-h2',
      title: `HTTP/1.1 to HTTP/2, small answers (own closed-loop client; ${SERVER})`,
      connections: 64,
    },
    'h2',
    'http-requests',
    'request',
  ),
)

export const h2ToH1: Scenario = between(
  { client: 'http2', server: 'http1' },
  perCount(
    {
      name: 'h2-h1',
      title: 'HTTP/2 to HTTP/1.1, small answers (own client, 16 streams a connection; own server)',
      connections: 4,
    },
    'http',
    'h2-requests',
    'request',
  ),
)

export const grpcUnary: Scenario = grpc(
  perCount(
    {
      name: 'grpc-unary',
      title: 'gRPC, small calls on one connection (@grpc/grpc-js on both ends)',
      connections: 64,
      counted: 'calls at once',
    },
    'grpc',
    'grpc-unary',
    'call',
  ),
)

export const grpcStream: Scenario = grpc(
  perByte(
    {
      name: 'grpc-stream',
      title: 'gRPC, streams of 1 MiB messages on one connection (@grpc/grpc-js on both ends)',
      connections: 4,
      counted: 'calls at once',
    },
    'grpc',
    'grpc-stream',
    [{ key: 'cut', title: 'calls cut off', digits: 0 }],
  ),
)

/** What carries no trailers carries no gRPC. */
function grpc(scenario: Scenario): Scenario {
  const able = (targets: readonly Target[]): Target[] =>
    targets.filter(({ name }) => name !== nodeHttp2.name)
  return between(HTTP2, {
    ...scenario,
    contenders: (targets) => scenario.contenders(able(targets)),
  })
}
