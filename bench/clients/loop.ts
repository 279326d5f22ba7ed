// A closed loop: every connection asks again as soon as it has its answer. On a small machine it costs a third of
// what autocannon costs, so the proxy sees more requests at once and can show what batching brings.

import type { Figures, Mark, Orders } from './client.ts'
import type { Exchange, Listener } from './exchange.ts'
import { Latency } from './latency.ts'

/** Opens the connection of a number, from 0. */
export type Open = (port: number, listener: Listener, index: number) => Exchange

export class Loop implements Listener {
  readonly #exchanges: readonly Exchange[]
  #latency = new Latency()
  #count = 0
  #running = 0
  #deadline = 0
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined

  constructor({ port, connections }: Orders, open: Open) {
    this.#exchanges = Array.from({ length: connections }, (_, index) => open(port, this, index))
  }

  async phase(seconds: number): Promise<Figures> {
    this.#latency = new Latency()
    this.#count = 0
    this.#running = this.#exchanges.length
    const start = performance.now()
    this.#deadline = start + seconds * 1000
    await new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject }
      for (const exchange of this.#exchanges) exchange.ask()
    })
    const elapsed = (performance.now() - start) / 1000
    return { count: this.#count, seconds: elapsed, ...this.#latency.figures() }
  }

  /** Closes all connections, for good. */
  end(): void {
    for (const exchange of this.#exchanges) exchange.end()
  }

  answered(exchange: Exchange, millis: number): void {
    this.#latency.record(millis)
    this.#count++
    if (performance.now() < this.#deadline) exchange.ask()
    else if (--this.#running === 0) this.#settle?.resolve()
  }

  closed(_: Exchange, problem: string | undefined): void {
    this.#settle?.reject(new Error(problem ?? 'a connection was closed'))
  }
}

/** The work of a client that is nothing but such a loop. */
export function loop(open: Open): (orders: Orders, mark: Mark) => Promise<Figures> {
  return async (orders, mark) => {
    const loop = new Loop(orders, open)
    await loop.phase(orders.warmup)
    await mark('warm')
    return await loop.phase(orders.seconds)
  }
}
