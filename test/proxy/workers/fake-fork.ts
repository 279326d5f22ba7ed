// Workers without processes: what was said to each of them, and what a test lets them say and do.

import type { TcpHandle } from '../../../src/proxy/net/node-internals.ts'
import type { FromWorker, ToWorker } from '../../../src/proxy/workers/messages.ts'
import type {
  Fork,
  WorkerEvents,
  WorkerProcess,
} from '../../../src/proxy/workers/worker-process.ts'

export class FakeWorker implements WorkerProcess {
  readonly pid: number
  readonly number: number
  readonly heard: ToWorker[] = []
  readonly handles: (TcpHandle | undefined)[] = []
  killed = false
  readonly #events: WorkerEvents

  constructor(pid: number, number: number, events: WorkerEvents) {
    this.pid = pid
    this.number = number
    this.#events = events
  }

  send(message: ToWorker, handle?: TcpHandle): void {
    this.heard.push(message)
    this.handles.push(handle)
  }

  kill(): void {
    this.killed = true
    this.end(null, 'SIGKILL')
  }

  say(message: FromWorker): void {
    this.#events.onMessage(message)
  }

  end(code: number | null, signal: string | null = null): void {
    this.#events.onEnd(code, signal)
  }

  /** The kinds of what it heard, after the start. */
  get commands(): string[] {
    return this.heard.map(({ kind }) => kind).filter((kind) => kind !== 'start')
  }

  /** Answers the last question. */
  answer(value: unknown): void {
    const asked = this.heard.findLast((message) => message.kind === 'ask')
    if (asked === undefined) throw new Error('nobody asked')
    this.say({ kind: 'answer', id: asked.id, value })
  }
}

export class FakeForks {
  /** In the order they were started. */
  readonly all: FakeWorker[] = []

  readonly fork: Fork = (number, events) => {
    const worker = new FakeWorker(1000 + this.all.length, number, events)
    this.all.push(worker)
    return worker
  }

  at(index: number): FakeWorker {
    const found = this.all.at(index)
    if (found === undefined) throw new Error(`no worker was started at ${index}`)
    return found
  }

  get started(): number[] {
    return this.all.map(({ number }) => number)
  }
}
