// One place in the crew: the process that fills it now, what it has been asked, and when the next one may be started.
//
// A process that dies young is replaced later and later, so that a defect that shows at once does not keep a core
// busy with starting. What its end means for the whole is left to crew.ts.

import type { Clock, Timer } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { FromWorker, Question, ToWorker } from './messages.ts'
import type { Fork, WorkerProcess } from './worker-process.ts'

/** A worker that is too busy to answer for so long is left out of the answer. */
const PATIENCE: Millis = 4000
/** Who dies before this age died of its start. */
const YOUNG: Millis = 10_000
const FIRST_DELAY: Millis = 1000
const LONGEST_DELAY: Millis = 30_000

export interface End {
  readonly pid: number | undefined
  readonly code: number | null
  readonly signal: string | null
  readonly wasReady: boolean
}

/** Told what a member does. */
export interface MemberHost {
  readonly clock: Clock
  readonly fork: Fork
  onStarted(member: Member): void
  onMessage(member: Member, message: FromWorker): void
  onEnd(member: Member, end: End): void
}

interface Waiting {
  readonly answer: (value: unknown) => void
  readonly timer: Timer
}

export class Member {
  /** From 1. */
  readonly number: number
  /** `away`: there is no process. */
  state: 'away' | 'starting' | 'ready' = 'away'
  readonly #host: MemberHost
  #process: WorkerProcess | undefined
  #startedAt: Millis = 0
  #delay: Millis = 0
  #restart: Timer | undefined
  readonly #questions = new Map<number, Waiting>()
  #lastQuestion = 0

  constructor(number: number, host: MemberHost) {
    this.number = number
    this.#host = host
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  start(): void {
    this.#startedAt = this.#host.clock.now()
    this.state = 'starting'
    this.#process = this.#host.fork(this.number, {
      onMessage: (message) => {
        this.#heard(message)
      },
      onEnd: (code, signal) => {
        this.#ended(code, signal)
      },
    })
    this.#host.onStarted(this)
  }

  /** Starts another process: at once, or later if the last one died young. Says when, in milliseconds from now. */
  replace(start: () => void): Millis {
    const { clock } = this.#host
    const young = clock.now() - this.#startedAt < YOUNG
    this.#delay = young ? Math.min(LONGEST_DELAY, Math.max(FIRST_DELAY, 2 * this.#delay)) : 0
    this.#restart = clock.after(this.#delay, start)
    return this.#delay
  }

  /** Undoes `replace`. */
  stayAway(): void {
    this.#restart?.cancel()
  }

  tell(...[message, handle]: Parameters<WorkerProcess['send']>): void {
    this.#process?.send(message, handle)
  }

  /** The answer, or undefined if there is none in time. */
  async ask(question: Question): Promise<unknown> {
    if (this.state !== 'ready') return undefined
    const id = ++this.#lastQuestion
    return await new Promise((resolve) => {
      const timer = this.#host.clock.after(PATIENCE, () => {
        this.#answered(id, undefined)
      })
      this.#questions.set(id, { answer: resolve, timer })
      this.tell({ kind: 'ask', id, question } satisfies ToWorker)
    })
  }

  kill(): void {
    this.#process?.kill()
  }

  #heard(message: FromWorker): void {
    if (message.kind === 'answer') {
      this.#answered(message.id, message.value)
      return
    }
    if (message.kind === 'ready') this.state = 'ready'
    this.#host.onMessage(this, message)
  }

  #answered(id: number, value: unknown): void {
    const waiting = this.#questions.get(id)
    this.#questions.delete(id)
    waiting?.timer.cancel()
    waiting?.answer(value)
  }

  #ended(code: number | null, signal: string | null): void {
    const wasReady = this.state === 'ready'
    const { pid } = this
    this.state = 'away'
    this.#process = undefined
    for (const id of [...this.#questions.keys()]) this.#answered(id, undefined)
    this.#host.onEnd(this, { pid, code, signal, wasReady })
  }
}
