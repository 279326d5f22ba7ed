// The connection-rate client: opens a connection, asks once, checks the answer, closes, and starts again. So many
// such loops run at once as there are connections.

import { client, type Figures, type Orders } from './client.ts'
import { Exchange, type Listener } from './exchange.ts'
import { FixedTalk } from './fixed-talk.ts'
import { Latency } from './latency.ts'

class Visits implements Listener {
  readonly #port: number
  readonly #deadline: number
  readonly #settle: (error?: Error) => void
  readonly latency = new Latency()
  readonly #started = new Map<Exchange, number>()
  count = 0

  constructor(port: number, deadline: number, settle: (error?: Error) => void) {
    this.#port = port
    this.#deadline = deadline
    this.#settle = settle
  }

  visit(): void {
    const exchange = new Exchange(this.#port, this, new FixedTalk())
    this.#started.set(exchange, performance.now())
    exchange.ask()
  }

  answered(exchange: Exchange): void {
    exchange.end()
  }

  closed(exchange: Exchange, problem: string | undefined): void {
    const now = performance.now()
    this.latency.record(now - (this.#started.get(exchange) ?? now))
    this.#started.delete(exchange)
    this.count++
    if (problem !== undefined) this.#settle(new Error(problem))
    else if (now < this.#deadline) this.visit()
    else if (this.#started.size === 0) this.#settle()
  }
}

async function phase({ port, connections }: Orders, seconds: number): Promise<Figures> {
  const start = performance.now()
  const visits = await new Promise<Visits>((resolve, reject) => {
    const visits: Visits = new Visits(port, start + seconds * 1000, (error) => {
      if (error === undefined) resolve(visits)
      else reject(error)
    })
    for (let loop = 0; loop < connections; loop++) visits.visit()
  })
  const elapsed = (performance.now() - start) / 1000
  return { count: visits.count, seconds: elapsed, ...visits.latency.figures() }
}

await client(async (orders, mark) => {
  await phase(orders, orders.warmup)
  await mark('warm')
  return await phase(orders, orders.seconds)
})
