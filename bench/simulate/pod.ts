// A pod: an application, and the sidecar that stands before it and takes its calls.
//
// As a server it is its sidecar: what it takes goes through the inbound stages to the application. As a handler it is
// what the application does besides its own work: a call to the next Service, through the outbound stages.

import type { SocketAddress } from '../../src/lib/address.ts'
import type { Millis } from '../../src/lib/duration.ts'
import type { Calls, GiveUp } from './call.ts'
import type { Handler } from './instance.ts'
import { type Message, renderRequest } from './message.ts'
import type { Job, Server } from './server.ts'
import type { Sidecar } from './sidecar.ts'

const NO_TIMEOUT = Number.POSITIVE_INFINITY
const BAD_GATEWAY = 502

export class Pod implements Server {
  readonly distance: Millis
  readonly #calls: Calls
  readonly #giveUps = new Map<Job, GiveUp>()

  /** `at` is the application's own address, where the network has it; `limit` the requests that it is given at once. */
  constructor(sidecar: Sidecar, at: SocketAddress, distance: Millis, limit: number | undefined) {
    this.distance = distance
    this.#calls = sidecar.callsFor(at, limit)
  }

  get isListening(): boolean {
    return true
  }

  /** Its sidecar lives on whatever becomes of its application. */
  watch(): void {
    // Nothing is ever told.
  }

  take(job: Job): void {
    let isOver = false as boolean
    const giveUp = this.#calls.begin(renderRequest(job.message), (status) => {
      isOver = true
      this.#giveUps.delete(job)
      // A client that is gone hears nothing.
      if (job.isLeft) return
      if (status === 0) job.broken()
      else job.answered(status)
    })
    if (!isOver) this.#giveUps.set(job, giveUp)
  }

  left(job: Job): void {
    const giveUp = this.#giveUps.get(job)
    this.#giveUps.delete(job)
    giveUp?.()
  }
}

/** What an application passes on of the request that it works on. */
export type Passing = 'nothing' | 'trace' | 'deadline'

/** Calls the next Service, and answers what it is answered. */
export class NextCall implements Handler {
  readonly #calls: Calls
  readonly #host: string
  readonly #passing: Passing
  readonly #waited: (time: Millis) => void

  /** `waited` is told how long each call took. */
  constructor(calls: Calls, host: string, passing: Passing, waited: (time: Millis) => void) {
    this.#calls = calls
    this.#host = host
    this.#passing = passing
    this.#waited = waited
  }

  handle(job: Job, done: (status: number) => void): () => void {
    const { clock } = this.#calls
    const begun = clock.now()
    return this.#calls.begin(renderRequest(this.#next(job.message)), (status, error) => {
      this.#waited(clock.now() - begun)
      if (status !== 0) done(error === undefined || status >= 500 ? status : BAD_GATEWAY)
    })
  }

  #next({ method, trace, due, timeout }: Message): Message {
    return {
      method,
      host: this.#host,
      trace: this.#passing === 'nothing' ? '' : trace,
      due,
      timeout: this.#passing === 'deadline' ? timeout : NO_TIMEOUT,
    }
  }
}
