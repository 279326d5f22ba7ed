// Two callers of the reviews, both in web's pod: one with a single busy connection, one with two that do little.
//
// This is where balancing connections and balancing requests differ most: to L4 they are three connections alike.

import type { Conversation } from './conversation.ts'
import type { SteadyReport } from './shop/steady.ts'
import { REVIEWS, type Shop } from './shop.ts'

const WHO = 'http://reviews:9080/who'
export const BUSY = { connections: 1, rate: 100 } as const
export const QUIET = { connections: 2, rate: 10 } as const

export class Callers {
  readonly #busy: Conversation
  readonly #quiet: Conversation

  constructor(shop: Shop) {
    const start = ({ connections, rate }: { connections: number; rate: number }): Conversation =>
      shop.converse('web', 'steady', WHO, String(connections), String(rate))
    this.#busy = start(BUSY)
    this.#quiet = start(QUIET)
  }

  /** New connections for both, and requests on them from now on; counts begin anew. */
  async begin(): Promise<void> {
    await this.#busy.ask('begin')
    await this.#quiet.ask('begin')
  }

  /** Stops asking, and waits for what is under way. */
  async pause(): Promise<CallersReport> {
    return await this.#both('pause')
  }

  async report(): Promise<CallersReport> {
    return await this.#both('report')
  }

  async stop(): Promise<void> {
    await Promise.all([this.#busy.child.stop(), this.#quiet.child.stop()])
  }

  async #both(order: string): Promise<CallersReport> {
    const [busy, quiet] = await Promise.all([this.#busy.ask(order), this.#quiet.ask(order)])
    return { busy: busy as SteadyReport, quiet: quiet as SteadyReport }
  }
}

export interface CallersReport {
  readonly busy: SteadyReport
  readonly quiet: SteadyReport
}

/** How many requests of both each instance answered, in the order of the instances. */
export function countsOf({ busy, quiet }: CallersReport): number[] {
  return REVIEWS.map((name) => (busy.answers[name] ?? 0) + (quiet.answers[name] ?? 0))
}
