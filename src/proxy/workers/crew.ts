// All workers of a proxy: started together, replaced one by one when they die, ended together.
//
// The first start is all or nothing, as that of a single process is. After it the proxy lives on with those that are
// left, however often the others must be replaced: whoever is being replaced takes nothing from the listening sockets.

import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import { MeshError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { type End, Member, type MemberHost } from './member.ts'
import type { FromWorker, Question, ToWorker } from './messages.ts'
import type { Fork } from './worker-process.ts'

/** Beyond the grace: what a worker may take to end, and to write its log. */
const MARGIN: Millis = 5000
/** What resetting the connections may take. */
const ABORT_LIMIT: Millis = 1000

export interface CrewHost {
  /** A process is there and must be told what to do. */
  onStarted(member: Member): void
  onReady(member: Member): void
  onBind(member: Member, message: FromWorker & { readonly kind: 'bind' }): void
  onEnded(member: Member): void
}

type Phase = 'starting' | 'running' | 'ending'

export class Crew implements MemberHost {
  readonly clock: Clock
  readonly fork: Fork
  /** Workers that were started in place of one that died. */
  restarts = 0
  readonly #members: readonly Member[]
  readonly #log: Log
  readonly #host: CrewHost
  #phase: Phase = 'starting'
  #settle: { readonly done: () => void; readonly failed: (error: Error) => void } | undefined
  #whenEmpty: (() => void)[] = []
  #aborted = false
  #inOrder = true

  constructor(count: number, fork: Fork, clock: Clock, log: Log, host: CrewHost) {
    this.fork = fork
    this.clock = clock
    this.#log = log
    this.#host = host
    this.#members = Array.from({ length: count }, (_, index) => new Member(index + 1, this))
  }

  /** Workers that carry traffic now. */
  get ready(): number {
    return this.#members.filter(({ state }) => state === 'ready').length
  }

  /**
   * Resolves when all are ready. Rejects with a MeshError if one refuses the configuration or the manifests, with
   * another error if one dies.
   */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#settle = { done: resolve, failed: reject }
      for (const member of this.#members) member.start()
    })
  }

  tell(message: ToWorker): void {
    for (const member of this.#members) member.tell(message)
  }

  /** The answers of those that have one, by the worker's number. */
  async ask(question: Question): Promise<Map<number, unknown>> {
    const answers = await Promise.all(
      this.#members.map(async (member) => [member.number, await member.ask(question)] as const),
    )
    return new Map(answers.filter(([, answer]) => answer !== undefined))
  }

  /** Replaces nobody any more; who is not ready yet is ended. */
  retire(): void {
    this.#phase = 'ending'
    for (const member of this.#members) {
      member.stayAway()
      if (member.state === 'starting') member.kill()
    }
  }

  /** Ends all in order within the grace; rejects if one of them did not end in order. */
  async stop(grace: Millis): Promise<void> {
    this.retire()
    this.tell({ kind: 'stop' })
    await this.#gone(grace + MARGIN)
    if (!this.#inOrder && !this.#aborted) throw new Error('a worker did not end in order')
  }

  /** Has all connections reset, and ends all at once. */
  async abort(): Promise<void> {
    this.#aborted = true
    this.retire()
    this.tell({ kind: 'abort' })
    await this.#gone(ABORT_LIMIT)
  }

  onStarted(member: Member): void {
    this.#log.info({
      event: 'worker-started',
      worker: member.number,
      pid: member.pid,
      message: `worker ${member.number} started`,
    })
    this.#host.onStarted(member)
  }

  onMessage(member: Member, message: FromWorker): void {
    if (message.kind === 'bind') this.#host.onBind(member, message)
    else if (message.kind === 'refused') this.#refused(member, message.message)
    else if (message.kind === 'ready') {
      this.#host.onReady(member)
      if (this.#phase !== 'starting' || this.ready < this.#members.length) return
      this.#phase = 'running'
      this.#settle?.done()
    }
  }

  onEnd(member: Member, end: End): void {
    this.#host.onEnded(member)
    if (this.#phase === 'ending') this.#endedInTheEnd(member, end)
    else if (this.#phase === 'starting') {
      this.#logEnd(member, end)
      const { number } = member
      this.#settle?.failed(new Error(`worker ${number} ended before it was ready: ${howOf(end)}`))
    } else {
      const restartInMilliseconds = member.replace(() => {
        this.restarts += 1
        member.start()
      })
      this.#logEnd(member, end, { restartInMilliseconds })
    }
  }

  #endedInTheEnd(member: Member, end: End): void {
    if (end.wasReady && end.code !== 0 && !this.#aborted) {
      this.#inOrder = false
      this.#logEnd(member, end)
    }
    if (this.#members.some(({ state }) => state !== 'away')) return
    for (const tell of this.#whenEmpty.splice(0)) tell()
  }

  #logEnd(member: Member, end: End, more: Readonly<Record<string, number>> = {}): void {
    const { pid, code, signal } = end
    this.#log.error({
      event: 'worker-ended',
      error: 'internal',
      worker: member.number,
      ...{ pid, code, signal },
      ...more,
      message: `worker ${member.number} ended: ${howOf(end)}`,
    })
  }

  #refused(member: Member, message: string): void {
    if (this.#phase === 'starting') {
      this.#settle?.failed(new MeshError('configuration-invalid', { problems: message }))
      return
    }
    this.#log.error({
      event: 'worker-refused',
      error: 'configuration-invalid',
      worker: member.number,
      problems: message,
      message: `worker ${member.number} cannot start with what it finds`,
    })
  }

  /** Resolves when all processes are gone; after `limit` those that are left are killed. */
  async #gone(limit: Millis): Promise<void> {
    if (this.#members.every(({ state }) => state === 'away')) return
    await new Promise<void>((resolve) => {
      const timer = this.clock.after(limit, () => {
        for (const member of this.#members) member.kill()
      })
      this.#whenEmpty.push(() => {
        timer.cancel()
        resolve()
      })
    })
  }
}

function howOf({ code, signal }: End): string {
  return signal ?? (code === null ? 'it could not be started' : `status ${code}`)
}
