// The client of the idle scenario: opens many connections, each with one question answered so that it surely leads
// through to the backend, keeps them all, and at the end asks on every one of them again.

import { client, type Orders } from './client.ts'
import { Exchange, type Listener } from './exchange.ts'
import { FixedTalk } from './fixed-talk.ts'

const AT_ONCE = 64

class Crowd implements Listener {
  readonly #port: number
  readonly #members: Exchange[] = []
  #waiting = new Map<Exchange, () => void>()
  #problem: string | undefined
  #fail: (error: Error) => void = () => undefined
  readonly failed: Promise<never> = new Promise((_, reject) => {
    this.#fail = reject
  })

  constructor(port: number) {
    this.#port = port
  }

  async gather(size: number): Promise<void> {
    await this.#inParallel(size, async () => {
      const exchange = new Exchange(this.#port, this, new FixedTalk())
      this.#members.push(exchange)
      await this.#ask(exchange)
    })
  }

  async askAll(): Promise<void> {
    const members = [...this.#members]
    await this.#inParallel(members.length, async () => {
      const exchange = members.pop()
      if (exchange !== undefined) await this.#ask(exchange)
    })
  }

  answered(exchange: Exchange): void {
    this.#waiting.get(exchange)?.()
    this.#waiting.delete(exchange)
  }

  closed(_: Exchange, problem: string | undefined): void {
    this.#problem ??= problem ?? 'a connection was closed'
    this.#fail(new Error(`${this.#problem} (of ${this.#members.length} opened)`))
  }

  async #ask(exchange: Exchange): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.set(exchange, resolve)
      exchange.ask()
    })
  }

  async #inParallel(times: number, work: () => Promise<void>): Promise<void> {
    let left = times
    const lane = async (): Promise<void> => {
      while (left-- > 0) await work()
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
  }
}

await client(async ({ port, connections }: Orders, mark) => {
  const crowd = new Crowd(port)
  await Promise.race([crowd.gather(connections), crowd.failed])
  await Promise.race([mark('held'), crowd.failed])
  await Promise.race([crowd.askAll(), crowd.failed])
  return { count: connections }
})
