// An open-loop load in a pod (open-load-program.ts), and what there is to say of it, second by second.

import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import type { Child } from '../../demo/pods/child.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import type { MeshPod } from './mesh.ts'
import type { OpenFailure, OpenLoaded, OpenLoadOptions, Sample } from './open-load-program.ts'
import { until } from './until.ts'

/** Of the requests that should have left in one second, or in any stretch of time. */
export interface Stretch {
  /** Seconds since the load began. */
  readonly at: number
  readonly sent: number
  readonly ok: number
  /** By status; 0 for no answer. */
  readonly failed: Readonly<Record<string, number>>
  /** Of all of them, whatever the answer, in milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export class OpenLoad {
  readonly #child: Child
  #seconds = 0
  #loaded: OpenLoaded | undefined

  private constructor(child: Child) {
    this.#child = child
    const { stdout } = child.process
    if (stdout === null) throw new Error('no output of the load')
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.startsWith('{"second"')) this.#seconds += 1
      else if (line.startsWith('{')) this.#loaded = JSON.parse(line) as OpenLoaded
    })
  }

  static async start({ pod }: MeshPod, options: OpenLoadOptions): Promise<OpenLoad> {
    const program = 'build/test/support/open-load-program.js'
    const child = pod.start(APP_UID, ['node', program, JSON.stringify(options)])
    const load = new OpenLoad(child)
    await child.prints(/"started"/)
    return load
  }

  /** Resolves when the load has gone on for so many seconds more. */
  async goesOn(seconds: number): Promise<void> {
    const goal = this.#seconds + seconds
    const what = `second ${goal} of the load`
    await until(what, () => this.#child.exit !== undefined || this.#seconds >= goal, 60_000)
  }

  /** Sends no more, waits for what is under way. */
  async stop(): Promise<LoadReport> {
    await this.#child.finish('stop\n')
    const loaded = this.#loaded
    if (loaded === undefined) throw new Error(this.#child.describe())
    return new LoadReport(loaded)
  }
}

export class LoadReport {
  readonly loaded: OpenLoaded

  constructor(loaded: OpenLoaded) {
    this.loaded = loaded
  }

  get failures(): readonly OpenFailure[] {
    return this.loaded.failures
  }

  /** The moment of a sample, or of the load's beginning, is in milliseconds since 1970 here. */
  between(from: number, to: number): Stretch {
    const { startedAt, samples } = this.loaded
    const inside = samples.filter(([at]) => startedAt + at >= from && startedAt + at < to)
    return stretch((from - startedAt) / 1000, inside)
  }

  get all(): Stretch {
    return stretch(0, this.loaded.samples)
  }

  /** Whole seconds of the load, counted from `from`, that end before `to` or the load's own end. */
  seconds(from: number = this.loaded.startedAt, to: number = Number.POSITIVE_INFINITY): Stretch[] {
    const { startedAt, samples } = this.loaded
    const last = startedAt + Math.max(0, ...samples.map(([at]) => at))
    const all: Stretch[] = []
    for (let at = from; at + 1000 <= Math.min(to, last + 1); at += 1000) {
      all.push(this.between(at, at + 1000))
    }
    return all
  }

  /** Every wait over a limit, the longest first. */
  waitsOver(ms: number): Sample[] {
    const over = this.loaded.samples.filter(([, waited]) => waited > ms)
    return over.sort(([, one], [, other]) => other - one)
  }

  /** One line a second. */
  comment(t: Test, what: string): void {
    t.comment(`${what}; the client itself was ${this.loaded.lag} ms late at most`)
    for (const second of this.seconds()) t.comment(`  ${lineOf(second)}`)
  }
}

/** Of all that was sent, 0 to 1. */
export function success({ ok, sent }: Stretch): number {
  return sent === 0 ? 0 : ok / sent
}

export function lineOf({ at, sent, ok, failed, p50, p99, max }: Stretch): string {
  const reasons = Object.entries(failed).map(([status, times]) => `${status}: ${times}`)
  const figures = `p50 ${p50.toFixed(0)}, p99 ${p99.toFixed(0)}, max ${max.toFixed(0)} ms`
  const failures = reasons.length === 0 ? '' : `, failed ${reasons.join(', ')}`
  return `second ${at.toFixed(1)}: sent ${sent}, ok ${ok}${failures}; ${figures}`
}

/** The middle one of each three that follow each other: one second of a busy machine does not count. */
export function mediansOfThree(numbers: readonly number[]): number[] {
  return numbers.slice(2).map((_, at) => median(numbers.slice(at, at + 3)))
}

export function median(numbers: readonly number[]): number {
  return quantile(
    [...numbers].sort((one, other) => one - other),
    0.5,
  )
}

function stretch(at: number, samples: readonly Sample[]): Stretch {
  const times = samples.map(([, ms]) => ms).sort((one, other) => one - other)
  const failed: Record<string, number> = {}
  let ok = 0
  for (const [, , status] of samples) {
    if (status === 200) ok += 1
    else failed[status] = (failed[status] ?? 0) + 1
  }
  const [p50, p99, max] = [quantile(times, 0.5), quantile(times, 0.99), times.at(-1) ?? 0]
  return { at, sent: samples.length, ok, failed, p50, p99, max }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}
