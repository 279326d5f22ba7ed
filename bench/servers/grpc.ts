// The backend of the scenarios over gRPC.

import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerWritableStream,
} from '@grpc/grpc-js'
import { BLOCKS_A_CALL, OPTIONS, SERVICE } from '../grpc.ts'
import { ANSWER_BODY, PATTERN } from '../protocol.ts'

const ANSWER = Buffer.from(ANSWER_BODY)

const ask: handleUnaryCall<Buffer, Buffer> = (_call, callback) => {
  callback(null, ANSWER)
}

function blocks(call: ServerWritableStream<Buffer, Buffer>): void {
  let left = BLOCKS_A_CALL
  const send = (): void => {
    while (left > 0) {
      left--
      if (call.write(PATTERN)) continue
      call.once('drain', send)
      return
    }
    call.end()
  }
  send()
}

const server = new Server(OPTIONS)
server.addService(SERVICE, { ask, blocks })
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  process.stdout.write(`listening ${port}\n`)
})
process.stdin.resume().once('end', () => process.exit(0))
