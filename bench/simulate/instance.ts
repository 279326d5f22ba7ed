// An application: workers that take requests from a queue, each for a time that is drawn, and the ways in which it can
// be unwell.
//
// A worker is held until the answer is there, calls to other services included, as in most frameworks. What stands
// before it, and who calls it, is not known here.

import type { Clock, Timer } from '../../src/lib/clock.ts'
import type { Millis } from '../../src/lib/duration.ts'
import type { Draw } from './chance.ts'
import type { Job, Server, Watcher } from './server.ts'

/**
 * healthy; failing: answers 503 at once; stalled: reads and answers nothing until it goes on; dead: refuses
 * connections, and those that are open have broken.
 */
export type Condition = 'healthy' | 'failing' | 'stalled' | 'dead'

/** What the work goes on with after the time of its own: calls elsewhere. */
export interface Handler {
  /** `done` takes the status, once. What is given back is called if the request is left meanwhile. */
  handle(job: Job, done: (status: number) => void): () => void
}

export interface InstanceRules {
  readonly workers: number
  /** Requests that wait for a worker at most; others are answered 503 at once. */
  readonly queue: number
  readonly service: Draw
  readonly distance: Millis
  /** It stops working on what nobody waits for any more, as few applications do. */
  readonly honoursCancellation: boolean
  readonly handler?: Handler
}

export class Counts {
  received = 0
  /** Answered without work: it was failing, or its queue was full. */
  turnedAway = 0
  /** Work that was begun, and of it such as was begun after its client's time was over. */
  executed = 0
  late = 0
  /** Work that was finished for nobody. */
  wasted = 0
}

/** A request at a worker. */
class Running {
  readonly job: Job
  /** Of the time of its own; undefined once that is over, or while everything stands still. */
  timer: Timer | undefined = undefined
  endsAt: Millis = NaN
  /** What is left of it while everything stands still; NaN otherwise. */
  rest: Millis = NaN
  /** The status of what was done while everything stood still. */
  held: number | undefined = undefined
  leave: (() => void) | undefined = undefined
  isOver = false

  constructor(job: Job) {
    this.job = job
  }
}

const OK = 200
const UNAVAILABLE = 503

export class Instance implements Server {
  readonly name: string
  readonly counts: Counts = new Counts()
  readonly distance: Millis
  readonly #clock: Clock
  readonly #rules: InstanceRules
  readonly #watchers: Watcher[] = []
  readonly #queue: Job[] = []
  /** What came while everything stood still. All of it is found later: a reset does not take back what had arrived. */
  readonly #unread: Job[] = []
  readonly #running = new Set<Running>()
  #condition: Condition = 'healthy'
  #slowness = 1
  /** How much slower it begins, and in which time that falls to 1/e of it; counted from its first request. */
  #coldness = 0
  #warmth: Millis = 1
  #coldSince: Millis = NaN

  constructor(name: string, clock: Clock, rules: InstanceRules) {
    this.name = name
    this.distance = rules.distance
    this.#clock = clock
    this.#rules = rules
  }

  get condition(): Condition {
    return this.#condition
  }

  get isListening(): boolean {
    return this.#condition !== 'dead'
  }

  get waiting(): number {
    return this.#queue.length + this.#unread.length
  }

  get busy(): number {
    return this.#running.size
  }

  /** Requests that it can finish in a second, by the mean of its times of service. */
  static capacity(workers: number, mean: Millis): number {
    return (workers * 1000) / mean
  }

  watch(watcher: Watcher): void {
    this.#watchers.push(watcher)
  }

  become(condition: Condition): void {
    const before = this.#condition
    if (condition === before) return
    this.#condition = condition
    if (condition === 'dead') this.#die()
    else if (before === 'stalled') this.#goOn()
    if (condition === 'stalled') this.#standStill()
    else if (condition === 'failing') for (const job of this.#queue.splice(0)) this.#turnAway(job)
  }

  /** What begins from now on takes so many times as long. */
  slowDown(factor: number): void {
    this.#slowness = factor
  }

  /** Its first request takes `1 + coldness` times as long; the excess falls to 1/e in `warmth`, time after time. */
  coolDown(coldness: number, warmth: Millis): void {
    this.#coldness = coldness
    this.#warmth = warmth
    this.#coldSince = NaN
  }

  take(job: Job): void {
    this.counts.received += 1
    this.#receive(job)
  }

  left(job: Job): void {
    if (!this.#rules.honoursCancellation) return
    const at = this.#queue.indexOf(job)
    if (at >= 0) {
      this.#queue.splice(at, 1)
      return
    }
    for (const running of this.#running) {
      if (running.job !== job) continue
      this.#release(running)
      this.#next()
      return
    }
  }

  #receive(job: Job): void {
    if (this.#condition === 'dead') job.broken()
    else if (this.#condition === 'failing') this.#turnAway(job)
    else if (this.#condition === 'stalled') this.#unread.push(job)
    else this.#admit(job)
  }

  #admit(job: Job): void {
    if (this.#running.size < this.#rules.workers) this.#begin(job)
    else if (this.#queue.length < this.#rules.queue) this.#queue.push(job)
    else this.#turnAway(job)
  }

  #turnAway(job: Job): void {
    this.counts.turnedAway += 1
    if (!job.isLeft) job.answered(UNAVAILABLE)
  }

  #begin(job: Job): void {
    const now = this.#clock.now()
    this.counts.executed += 1
    if (now > job.message.due) this.counts.late += 1
    const time = this.#rules.service() * this.#slowness * (1 + this.#excess(now))
    const running = new Running(job)
    this.#running.add(running)
    this.#work(running, time)
  }

  #excess(now: Millis): number {
    if (this.#coldness === 0) return 0
    if (Number.isNaN(this.#coldSince)) this.#coldSince = now
    return this.#coldness * Math.exp((this.#coldSince - now) / this.#warmth)
  }

  #work(running: Running, time: Millis): void {
    running.endsAt = this.#clock.now() + time
    running.timer = this.#clock.after(time, () => {
      running.timer = undefined
      const { handler } = this.#rules
      if (handler === undefined) this.#finish(running, OK)
      else {
        running.leave = handler.handle(running.job, (status) => {
          this.#finish(running, status)
        })
      }
    })
  }

  #finish(running: Running, status: number): void {
    if (running.isOver) return
    if (this.#condition === 'stalled') {
      running.held = status
      return
    }
    running.leave = undefined
    this.#release(running)
    const { job } = running
    if (job.isLeft) this.counts.wasted += 1
    else job.answered(status)
    this.#next()
  }

  /** The worker is free. */
  #release(running: Running): void {
    running.isOver = true
    running.timer?.cancel()
    running.timer = undefined
    this.#running.delete(running)
    const { leave } = running
    running.leave = undefined
    leave?.()
  }

  #next(): void {
    if (this.#condition !== 'healthy') return
    while (this.#running.size < this.#rules.workers) {
      const job = this.#queue.shift()
      if (job === undefined) return
      this.#begin(job)
    }
  }

  #standStill(): void {
    const now = this.#clock.now()
    for (const running of this.#running) {
      if (running.timer === undefined) continue
      running.timer.cancel()
      running.timer = undefined
      running.rest = running.endsAt - now
    }
  }

  #goOn(): void {
    for (const running of [...this.#running]) {
      const { rest, held } = running
      running.rest = NaN
      running.held = undefined
      if (held !== undefined) this.#finish(running, held)
      else if (!Number.isNaN(rest)) this.#work(running, rest)
    }
    this.#next()
    for (const job of this.#unread.splice(0)) this.#receive(job)
  }

  #die(): void {
    const running = [...this.#running]
    const jobs = [
      ...running.map(({ job }) => job),
      ...this.#queue.splice(0),
      ...this.#unread.splice(0),
    ]
    for (const one of running) this.#release(one)
    for (const watcher of this.#watchers) watcher.connectionsBroken()
    for (const job of jobs) if (!job.isLeft) job.broken()
  }
}
