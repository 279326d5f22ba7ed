// The other ends of a run, as processes of their own: a backend that says where it listens, and a client that stops
// at marks and ends with its figures. Any error of theirs is the run's.

import type { Child } from '../demo/pods/child.ts'
import type { Figures, Orders } from './clients/client.ts'
import { NGHTTPD, startNghttpd } from './nghttpd.ts'
import type { Stage } from './stage.ts'

/** How long anything may take beyond the time it was given. */
const SLACK_MS = 30_000

export type ServerName = 'answers' | 'bulk' | 'http' | 'h2' | 'h2-streams' | 'grpc'
export type ClientName =
  | 'autocannon'
  | 'requests'
  | 'connections'
  | 'bulk'
  | 'idle'
  | 'stopped'
  | 'http-requests'
  | 'http-bulk'
  | 'open-loop'
  | 'h2-requests'
  | 'h2-streams'
  | 'h2-stopped'
  | 'grpc-unary'
  | 'grpc-stream'

/** Starts a backend and gives its port. */
export async function startServer(stage: Stage, name: ServerName): Promise<number> {
  if (name === 'h2' && NGHTTPD !== undefined) return await startNghttpd(stage, NGHTTPD)
  const child = stage.start('load', [process.execPath, script(`servers/${name}`)])
  await child.prints(/^listening \d+$/m)
  return Number(/^listening (\d+)$/m.exec(child.stdout)?.[1])
}

export class Client {
  readonly #child: Child
  readonly #limit: number

  constructor(stage: Stage, name: ClientName, orders: Orders) {
    const { port, connections, warmup, seconds } = orders
    const words = [port, connections, warmup, seconds].map(String)
    const heap = '--max-semi-space-size=32'
    this.#child = stage.start('load', [process.execPath, heap, script(`clients/${name}`), ...words])
    this.#limit = (warmup + seconds) * 1000 + SLACK_MS
  }

  /** Waits until the client stands at a mark. */
  async reaches(mark: string): Promise<void> {
    await this.#child.prints(new RegExp(`^mark ${mark}$`, 'm'), this.#limit)
  }

  /** Lets it go on from the mark. */
  proceed(): void {
    this.#child.process.stdin?.write('go on\n')
  }

  /** Waits for the end and gives the figures. */
  async figures(): Promise<Figures> {
    await this.#child.prints(/^figures .*$/m, this.#limit)
    const exit = await this.#child.exited
    if (exit.code !== 0) throw new Error(this.#child.describe())
    return readFigures(/^figures (.*)$/m.exec(this.#child.stdout)?.[1] ?? '')
  }
}

function readFigures(text: string): Figures {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new Error(`no figures: ${text}`)
  const figures = Object.entries(value).map(([name, figure]: [string, unknown]) => {
    if (typeof figure === 'number' && Number.isFinite(figure)) return [name, figure] as const
    throw new Error(`${name} is not a number: ${text}`)
  })
  return Object.fromEntries(figures)
}

function script(name: string): string {
  return new URL(`./${name}.js`, import.meta.url).pathname
}
