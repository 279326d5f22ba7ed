// The client of many streams: after small answers on a few, it opens so many on the same connection that the backend
// answers piece by piece and never to the end, and watches that every one of them goes on.

import { setTimeout as sleep } from 'node:timers/promises'
import { PIECES } from '../h2-paths.ts'
import { client } from './client.ts'
import { endless, type H2Reply } from './h2-connection.ts'
import { H2Loop } from './h2-loop.ts'

const BEFORE = 64
const POLL_MS = 20
const STREAM = endless(PIECES, false)

/** Until all have got more than they had. */
async function progress(replies: readonly H2Reply[]): Promise<void> {
  const before = replies.map(({ received }) => received)
  while (replies.some(({ received }, index) => received <= (before[index] ?? 0))) {
    await sleep(POLL_MS)
  }
}

await client(async ({ port, connections: streams, warmup, seconds }, mark) => {
  const loop = new H2Loop(port, { connections: 1, streams: BEFORE, most: streams })
  const held = async (work: Promise<unknown>): Promise<unknown> =>
    await Promise.race([work, loop.failed])
  await loop.phase(warmup)
  await held(mark('warm'))
  const replies = loop.connections.flatMap((connection) =>
    Array.from({ length: streams }, () => connection.ask(STREAM)),
  )
  for (const connection of loop.connections) connection.flush()
  await held(progress(replies))
  for (const name of ['open', 'half', 'held']) {
    await held(mark(name))
    if (name === 'held') break
    await held(sleep(seconds * 1000))
    await held(progress(replies))
  }
  return { count: replies.length, bytes: replies.reduce((sum, { received }) => sum + received, 0) }
})
