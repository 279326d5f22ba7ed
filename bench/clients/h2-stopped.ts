// The client of the stopped stream: small answers on a few streams, by themselves and, in turns, beside one
// whose answer never ends and whose reader never opens the window again, on the same connection.

import { setTimeout as sleep } from 'node:timers/promises'
import { STREAM_WINDOW } from '../h2-frames.ts'
import { FLOOD } from '../h2-paths.ts'
import { client, type Figures } from './client.ts'
import { endless, type H2Reply } from './h2-connection.ts'
import { H2Loop } from './h2-loop.ts'
import { Latency } from './latency.ts'

const STREAMS = 16
const FLOODED = endless(FLOOD, true)
/** In turns, so that neither has the warmer processes. */
const TURNS = 4
/** What is on its way to the stopped stream has arrived when so long nothing came. */
const SETTLE_MS = 100
/** After that the others are taken to be stuck behind it. */
const PATIENCE_SECONDS = 2

await client(async ({ port, connections, warmup, seconds }, mark) => {
  const loop = new H2Loop(port, { connections, streams: STREAMS, most: STREAMS + 1 })
  await loop.phase(warmup)
  await mark('warm')
  const [alone, beside] = [new Latency(), new Latency()]
  const total = { count: 0, seconds: 0, stuck: 0, held: 0 }
  for (let turn = 0; turn < TURNS && total.stuck === 0; turn++) {
    await loop.lastPhase(seconds / TURNS, PATIENCE_SECONDS, alone)
    const stopped = await stop(loop)
    const figures = await loop.lastPhase(seconds / TURNS, PATIENCE_SECONDS, beside)
    total.count += figures['count'] ?? 0
    total.seconds += figures['seconds'] ?? 0
    total.stuck = figures['stuck'] ?? 0
    total.held = sum(stopped)
    if (stopped.some(({ received }) => received > STREAM_WINDOW)) {
      throw new Error('more was sent than the window allowed')
    }
    for (const [index, reply] of stopped.entries()) loop.connections[index]?.cancel(reply)
  }
  // A closed loop that stands still has few answers, and all of them were fast.
  const stall = PATIENCE_SECONDS * 1000
  const quantiles = total.stuck > 0 ? { p50: stall, p99: stall } : beside.figures()
  return { ...total, ...quantiles, ...named('alone', alone.figures()) }
})

/** Asks for more than will be read, on every connection, and waits until no more of it comes. */
async function stop(loop: H2Loop): Promise<H2Reply[]> {
  const stopped = loop.connections.map((connection) => {
    const reply = connection.ask(FLOODED)
    connection.flush()
    return reply
  })
  for (let before = -1, now = 0; before < now || now === 0; ) {
    await Promise.race([sleep(SETTLE_MS), loop.failed])
    before = now
    now = sum(stopped)
  }
  return stopped
}

function sum(replies: readonly H2Reply[]): number {
  return replies.reduce((total, { received }) => total + received, 0)
}

function named(name: string, { p50 = Number.NaN, p99 = Number.NaN }: Figures): Figures {
  return { [`${name}50`]: p50, [`${name}99`]: p99 }
}
