// The client of calls over gRPC that stream blocks of 1 MiB.

import type { Client } from '@grpc/grpc-js'
import { BLOCKS_A_CALL, SERVICE } from '../grpc.ts'
import { PATTERN } from '../protocol.ts'
import { client } from './client.ts'
import { lanes } from './grpc-lanes.ts'

const { path, requestSerialize, responseDeserialize } = SERVICE.blocks
const QUESTION = Buffer.from('all of it')

async function download(channel: Client): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let blocks = 0
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
    call.on('error', reject)
    call.on('end', () => {
      if (blocks === BLOCKS_A_CALL) resolve()
      else reject(new Error(`${blocks} of ${BLOCKS_A_CALL} blocks arrived`))
    })
  })
}

const work = lanes(download)

await client(async (orders, mark) => {
  const { count = Number.NaN, ...figures } = await work(orders, mark)
  return { ...figures, bytes: count * BLOCKS_A_CALL * PATTERN.length }
})
