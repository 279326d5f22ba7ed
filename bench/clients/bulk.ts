// The bulk client: half of the connections download and half upload, block after block until the time is over.

import { BulkConnection } from './bulk-connection.ts'
import { client, type Figures } from './client.ts'

const BLOCK_BYTES = 1 << 24

async function phase(connections: readonly BulkConnection[], seconds: number): Promise<Figures> {
  const start = performance.now()
  const deadline = start + seconds * 1000
  let blocks = 0
  await Promise.all(
    connections.map(async (connection, index) => {
      do {
        if (index % 2 === 0) await connection.download(BLOCK_BYTES)
        else await connection.upload(BLOCK_BYTES)
        blocks++
      } while (performance.now() < deadline)
    }),
  )
  return { bytes: blocks * BLOCK_BYTES, seconds: (performance.now() - start) / 1000 }
}

await client(async (orders, mark) => {
  const connections = Array.from(
    { length: orders.connections },
    () => new BulkConnection(orders.port),
  )
  await phase(connections, orders.warmup)
  await mark('warm')
  return await phase(connections, orders.seconds)
})
