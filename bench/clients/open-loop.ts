// The open-loop client: sends small requests at a fixed rate on a schedule that no answer can hold up, and measures
// every latency from the scheduled time. A target that stalls is charged for all that was due meanwhile, and so is
// a client that is late; by how much it was is told too, and so is what comes out from the moment of sending, which
// is the same thing without the client's own lateness.
//
// A request takes the connection that has been idle the longest, and a new one where none is idle.

import { spawn } from 'node:child_process'
import { QUESTIONS } from '../messages.ts'
import { client, type Figures } from './client.ts'
import { Exchange, type Listener } from './exchange.ts'
import { HttpTalk } from './http-talk.ts'
import { Latency } from './latency.ts'
import { Loop } from './loop.ts'
import { monotonic } from './monotonic.ts'

const PER_SECOND = 1000
/** The metronome needs so long to start. */
const LEAD_MS = 500
/** So many requests without an answer are not a stall: the target does not carry the rate. */
const MOST_CONNECTIONS = 4000
const METRONOME = new URL('./metronome.js', import.meta.url).pathname

class Schedule implements Listener {
  readonly #port: number
  readonly #idle: Exchange[] = []
  /** When the request that a connection is busy with was due. */
  readonly #due = new Map<Exchange, number>()
  readonly latency = new Latency()
  readonly late = new Latency()
  readonly fromSending = new Latency()
  #connections = 0
  #left = 0
  #done: () => void = () => undefined
  #fail: (error: Error) => void = () => undefined
  readonly failed: Promise<never> = new Promise((_, reject) => {
    this.#fail = reject
  })

  constructor(port: number) {
    this.#port = port
    this.failed.catch(() => undefined)
  }

  get connections(): number {
    return this.#connections
  }

  /** Opens connections and asks once on each, so that all lead through to the backend. Nothing is counted. */
  async gather(connections: number): Promise<void> {
    const gathered = new Promise<void>((resolve) => {
      this.#done = resolve
    })
    this.#left = connections
    for (let opened = 0; opened < connections; opened++) this.#open().ask()
    await Promise.race([gathered, this.failed])
  }

  /** Resolves once so many requests are answered. */
  async answers(count: number): Promise<void> {
    const complete = new Promise<void>((resolve) => {
      this.#done = resolve
    })
    this.#left = count
    await Promise.race([complete, this.failed])
  }

  send(due: number): void {
    const exchange = this.#idle.shift() ?? this.#open()
    this.late.record(monotonic() - due)
    this.#due.set(exchange, due)
    exchange.ask()
  }

  answered(exchange: Exchange, millis: number): void {
    const due = this.#due.get(exchange)
    if (due !== undefined) {
      this.latency.record(monotonic() - due)
      this.fromSending.record(millis)
    }
    this.#idle.push(exchange)
    if (--this.#left === 0) this.#done()
  }

  closed(_: Exchange, problem: string | undefined): void {
    this.fail(problem ?? 'a connection was closed')
  }

  fail(problem: string): void {
    this.#fail(new Error(problem))
  }

  #open(): Exchange {
    this.#connections++
    if (this.#connections > MOST_CONNECTIONS) this.fail('the target does not carry the rate')
    return open(this.#port, this)
  }
}

function open(port: number, listener: Listener): Exchange {
  return new Exchange(port, listener, new HttpTalk(QUESTIONS.small))
}

async function phase(schedule: Schedule, seconds: number): Promise<Figures> {
  const count = Math.max(1, Math.round(seconds * PER_SECOND))
  const interval = 1000 / PER_SECOND
  const start = monotonic() + LEAD_MS
  const words = [start, interval, count].map(String)
  const metronome = spawn(process.execPath, [METRONOME, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let sent = 0
  metronome.stdout.on('data', () => {
    for (const now = monotonic(); sent < count && start + sent * interval <= now; sent++) {
      schedule.send(start + sent * interval)
    }
  })
  metronome.once('close', () => {
    if (sent < count) schedule.fail(`the schedule ended after ${sent} of ${count}`)
  })
  await schedule.answers(count)
  const elapsed = (monotonic() - start) / 1000
  return {
    ...{ count, seconds: elapsed, connections: schedule.connections },
    ...schedule.latency.figures(),
    ...named('late', schedule.late),
    ...named('sent', schedule.fromSending),
  }
}

function named(name: string, latency: Latency): Figures {
  const { p50 = Number.NaN, p99 = Number.NaN } = latency.figures()
  return { [`${name}50`]: p50, [`${name}99`]: p99 }
}

await client(async (orders, mark) => {
  // At the rate alone, V8 would compile the hot paths of client and target only in the midst of the measurement.
  const loop = new Loop(orders, open)
  await loop.phase(orders.warmup)
  loop.end()
  const schedule = new Schedule(orders.port)
  await schedule.gather(orders.connections)
  await mark('warm')
  return await phase(schedule, orders.seconds)
})
