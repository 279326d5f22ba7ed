// The closed-loop client of small requests over HTTP/2.

import { client } from './client.ts'
import { H2Loop } from './h2-loop.ts'

const STREAMS = 16

await client(async ({ port, connections, warmup, seconds }, mark) => {
  const loop = new H2Loop(port, { connections, streams: STREAMS, most: STREAMS })
  await loop.phase(warmup)
  await mark('warm')
  return await loop.phase(seconds)
})
