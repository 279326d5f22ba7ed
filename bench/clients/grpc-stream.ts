// The client of calls over gRPC that stream blocks of 1 MiB.
//
// A call that ends without a status, its stream reset without an error, is counted and not fatal: HAProxy 2.6 cuts one
// off now and then. Whoever reads the figures says of whom it is forgiven.

import { type Client, type ServiceError, status } from '@grpc/grpc-js'
import { BLOCKS_A_CALL, SERVICE } from '../grpc.ts'
import { PATTERN } from '../protocol.ts'
import { client, type Figures } from './client.ts'
import { lanes } from './grpc-lanes.ts'

const { path, requestSerialize, responseDeserialize } = SERVICE.blocks
const QUESTION = Buffer.from('all of it')
const CUT_OFF = 'RST_STREAM with code 0 '

async function download(channel: Client): Promise<Figures> {
  return await new Promise((resolve, reject) => {
    let blocks = 0
    const end = (cut: number): void => {
      resolve({ bytes: blocks * PATTERN.length, cut })
    }
    const call = channel.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      QUESTION,
    )
    call.on('data', (block: Buffer) => {
      blocks++
      if (!PATTERN.equals(block)) reject(new Error(`wrong bytes in block ${blocks}`))
    })
    call.on('error', (error: ServiceError) => {
      if (error.code === status.INTERNAL && error.details.includes(CUT_OFF)) end(1)
      else reject(error)
    })
    call.on('end', () => {
      // An error, if there is one, comes after this.
      if (blocks === BLOCKS_A_CALL) end(0)
    })
    call.on('status', ({ code }) => {
      if (code === status.OK && blocks !== BLOCKS_A_CALL) {
        reject(new Error(`${blocks} of ${BLOCKS_A_CALL} blocks arrived`))
      }
    })
  })
}

await client(lanes(download))
