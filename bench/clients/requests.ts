// The closed-loop client: every connection asks again as soon as it has its answer. It costs a third of what
// autocannon costs, so on a small machine the proxy sees more requests at once and can show what batching brings.

import { client, type Figures, type Orders } from './client.ts'
import { Exchange, type Listener } from './exchange.ts'
import { Latency } from './latency.ts'

class Loop implements Listener {
  readonly #exchanges: Exchange[]
  #latency = new Latency()
  #count = 0
  #running = 0
  #deadline = 0
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined

  constructor(orders: Orders) {
    this.#exchanges = Array.from(
      { length: orders.connections },
      () => new Exchange(orders.port, this),
    )
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

await client(async (orders, mark) => {
  const loop = new Loop(orders)
  await loop.phase(orders.warmup)
  await mark('warm')
  return await loop.phase(orders.seconds)
})
