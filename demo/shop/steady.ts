// One caller with a few connections of its own and a steady rate of requests, and who answered it.
//
// A line on standard input is answered with a report: `begin` makes new connections, asks once on each of them, and
// goes on at the rate; `report` tells what came since; `pause` does so once nothing is under way. Answers to what was
// asked before the last `begin` are not counted.

import { Agent, get } from 'node:http'
import { createInterface } from 'node:readline'

const TIMEOUT = 4000
/** Requests that wait for an answer; beyond these, none are made. */
const MOST_OPEN = 200

export interface SteadyReport {
  /** Connections that were made. */
  readonly connections: number
  readonly done: number
  readonly failed: number
  readonly lastError: string
  /** By who answered. */
  readonly answers: Readonly<Record<string, number>>
}

/** The connections of one `begin`, and what came over them. */
class Round {
  readonly agents: readonly Agent[]
  readonly #url: string
  readonly #sockets = new Set<unknown>()
  readonly #answers: Record<string, number> = {}
  #done = 0
  #failed = 0
  #lastError = ''
  #next = 0
  #open = 0
  #whenQuiet: (() => void) | undefined

  constructor(url: string, connections: number) {
    this.#url = url
    this.agents = Array.from(
      { length: connections },
      () => new Agent({ keepAlive: true, maxSockets: 1 }),
    )
  }

  report(): SteadyReport {
    return {
      ...{ connections: this.#sockets.size, done: this.#done, failed: this.#failed },
      ...{ lastError: this.#lastError, answers: this.#answers },
    }
  }

  /** One request, on the connections in turn. */
  async ask(): Promise<void> {
    const agent = this.agents[this.#next++ % this.agents.length]
    if (agent === undefined || this.#open >= MOST_OPEN) return
    this.#open++
    try {
      const name = await this.#name(agent)
      this.#answers[name] = (this.#answers[name] ?? 0) + 1
      this.#done++
    } catch (error) {
      this.#failed++
      this.#lastError = String(error)
    }
    this.#open--
    if (this.#open === 0) this.#whenQuiet?.()
  }

  async quiet(): Promise<void> {
    if (this.#open === 0) return
    await new Promise<void>((resolve) => {
      this.#whenQuiet = resolve
    })
  }

  close(): void {
    for (const agent of this.agents) agent.destroy()
  }

  async #name(agent: Agent): Promise<string> {
    return await new Promise((resolve, reject) => {
      const request = get(this.#url, { agent, timeout: TIMEOUT }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode === 200) resolve((JSON.parse(text) as { from: string }).from)
          else reject(new Error(`answered ${response.statusCode ?? 0}: ${text.trim()}`))
        })
      })
      request.on('socket', (socket) => this.#sockets.add(socket))
      request.on('timeout', () => request.destroy(new Error('no answer in time')))
      request.on('error', reject)
    })
  }
}

/** Runs until standard input ends. `rate` is in requests a second, over all connections together. */
export function runSteady(url: string, connections: number, rate: number): void {
  let round = new Round(url, connections)
  let timer: NodeJS.Timeout | undefined
  const reply = (): void => {
    process.stdout.write(`${JSON.stringify(round.report())}\n`)
  }
  const begin = async (): Promise<void> => {
    clearInterval(timer)
    const old = round
    void old.quiet().then(() => {
      old.close()
    })
    round = new Round(url, connections)
    for (let i = 0; i < connections; i++) await round.ask()
    const current = round
    timer = setInterval(() => void current.ask(), 1000 / rate)
  }
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'begin') void begin().then(reply)
    else if (line === 'report') reply()
    else {
      clearInterval(timer)
      void round.quiet().then(reply)
    }
  })
}
