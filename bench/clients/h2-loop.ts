// A closed loop over HTTP/2: every stream that ends is followed by another, on the same connection.

import type { Figures } from './client.ts'
import { H2Connection, type H2Listener, SMALL } from './h2-connection.ts'
import { Latency } from './latency.ts'

export class H2Loop implements H2Listener {
  readonly connections: readonly H2Connection[]
  readonly #streams: number
  #latency = new Latency()
  #count = 0
  #running = 0
  #deadline = 0
  #done: () => void = () => undefined
  #fail: (error: Error) => void = () => undefined
  readonly failed: Promise<never> = new Promise((_, reject) => {
    this.#fail = reject
  })

  /** The loop asks on `streams` streams of each connection; `more` others may be asked beside it. */
  constructor(port: number, connections: number, streams: number, more = 0) {
    this.failed.catch(() => undefined)
    this.#streams = streams
    this.connections = Array.from(
      { length: connections },
      () => new H2Connection(port, streams + more, this),
    )
  }

  async phase(seconds: number): Promise<Figures> {
    this.#latency = new Latency()
    this.#count = 0
    this.#running = this.connections.length * this.#streams
    const start = performance.now()
    this.#deadline = start + seconds * 1000
    const done = new Promise<void>((resolve) => {
      this.#done = resolve
    })
    for (const connection of this.connections) {
      for (let stream = 0; stream < this.#streams; stream++) connection.ask(SMALL)
      connection.flush()
    }
    await Promise.race([done, this.failed])
    const elapsed = (performance.now() - start) / 1000
    return { count: this.#count, seconds: elapsed, ...this.#latency.figures() }
  }

  answered(connection: H2Connection, millis: number): void {
    this.#latency.record(millis)
    this.#count++
    if (performance.now() < this.#deadline) connection.ask(SMALL)
    else if (--this.#running === 0) this.#done()
  }

  closed(problem: string | undefined): void {
    this.#fail(new Error(problem ?? 'a connection was closed'))
  }
}
