// The client of the stopped stream: small answers on a few streams, first by themselves and then beside one whose
// answer never ends and whose reader never opens the window again, on the same connection.

import { setTimeout as sleep } from 'node:timers/promises'
import { STREAM_WINDOW } from '../h2-frames.ts'
import { FLOOD } from '../h2-paths.ts'
import { client, type Figures } from './client.ts'
import { endless, type H2Reply } from './h2-connection.ts'
import { H2Loop } from './h2-loop.ts'

const STREAMS = 16
/** What is on its way to the stopped stream has arrived when so long nothing came. */
const SETTLE_MS = 100
/** After that the others are taken to be stuck behind it. */
const PATIENCE_SECONDS = 2

await client(async ({ port, connections, warmup, seconds }, mark) => {
  const loop = new H2Loop(port, { connections, streams: STREAMS, most: STREAMS + 1 })
  await loop.phase(warmup)
  await mark('warm')
  const alone = await loop.phase(seconds)
  const stopped = loop.connections.map((connection) => {
    const reply = connection.ask(endless(FLOOD, true))
    connection.flush()
    return reply
  })
  for (let before = -1, now = 0; before < now || now === 0; ) {
    await Promise.race([sleep(SETTLE_MS), loop.failed])
    before = now
    now = sum(stopped)
  }
  const beside = await loop.lastPhase(seconds, PATIENCE_SECONDS)
  if (stopped.some(({ received }) => received > STREAM_WINDOW)) {
    throw new Error('more was sent than the window allowed')
  }
  const { stuck = 0 } = beside
  const held = sum(stopped)
  // A closed loop that stands still has few answers, and all of them were fast.
  const stall = stuck > 0 ? { p50: PATIENCE_SECONDS * 1000, p99: PATIENCE_SECONDS * 1000 } : {}
  return { ...beside, ...stall, ...named('alone', alone), held }
})

function sum(replies: readonly H2Reply[]): number {
  return replies.reduce((total, { received }) => total + received, 0)
}

function named(name: string, { p50 = Number.NaN, p99 = Number.NaN }: Figures): Figures {
  return { [`${name}50`]: p50, [`${name}99`]: p99 }
}
