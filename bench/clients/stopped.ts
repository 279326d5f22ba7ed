// The client of the stopped-reader scenario: on half of the connections it sends to a server that does not read,
// on the other half it does not read what the server sends, each as fast as the kernel takes bytes.

import { BulkConnection } from './bulk-connection.ts'
import { client } from './client.ts'

/** Moved on every connection before, so that what a connection needs while it works is not counted as growth. */
const WARMUP_BYTES = 1 << 23

await client(async (orders, mark) => {
  const connections = Array.from(
    { length: orders.connections },
    () => new BulkConnection(orders.port),
  )
  const broken = Promise.race(connections.map(async ({ failed }) => await failed))
  broken.catch(() => undefined)
  await Promise.all(
    connections.map(async (connection) => {
      await connection.download(WARMUP_BYTES)
      await connection.upload(WARMUP_BYTES)
    }),
  )
  await mark('warm')
  let accepted = 0
  for (const [index, connection] of connections.entries()) {
    if (index % 2 === 0) connection.beFlooded()
    else {
      connection.flood((bytes) => {
        accepted += bytes
      })
    }
  }
  const time = new Promise<void>((resolve) => setTimeout(resolve, orders.seconds * 1000))
  await Promise.race([time, broken])
  // A new connection through the same proxy: the stalled ones must not be in its way.
  const flooded = await new BulkConnection(orders.port).tally()
  await Promise.race([mark('held'), broken])
  return { bytes: accepted + flooded }
})
