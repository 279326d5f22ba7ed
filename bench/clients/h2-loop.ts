// A closed loop over HTTP/2: every stream that ends is followed by another, on the same connection.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Figures } from './client.ts'
import { H2Connection, type H2Listener, SMALL } from './h2-connection.ts'
import { Latency } from './latency.ts'

/** Answers take milliseconds. */
const PATIENCE_SECONDS = 15

export interface H2LoopSize {
  readonly connections: number
  /** Of each connection, that the loop asks on. */
  readonly streams: number
  /** The most that are open at once, with what is asked beside the loop. */
  readonly most: number
}

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

  constructor(port: number, { connections, streams, most }: H2LoopSize) {
    this.failed.catch(() => undefined)
    this.#streams = streams
    this.connections = Array.from({ length: connections }, () => new H2Connection(port, most, this))
  }

  async phase(seconds: number): Promise<Figures> {
    const { stuck = 0, ...figures } = await this.lastPhase(seconds, PATIENCE_SECONDS)
    if (stuck > 0) throw new Error(`${stuck} answers are missing`)
    return figures
  }

  /** Ends even where answers stay away for so long after the time: `stuck` is how many. Adds to `latency`. */
  async lastPhase(
    seconds: number,
    patience: number,
    latency: Latency = new Latency(),
  ): Promise<Figures> {
    this.#latency = latency
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
    const late = sleep((seconds + patience) * 1000, undefined, { ref: false })
    await Promise.race([done, this.failed, late])
    const elapsed = (performance.now() - start) / 1000
    const figures = this.#latency.figures()
    return { count: this.#count, seconds: elapsed, stuck: this.#running, ...figures }
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
