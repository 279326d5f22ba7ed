// One worker as a process: forked, talked to over its channel, its log lines passed on.
//
// A worker's standard output is a pipe to the supervisor, which writes what comes to its own in whole lines. One pipe
// shared by all of them would mix their lines: the kernel keeps only short writes (4096 bytes) in one piece, and long
// lines exist. When a worker is started, and what is said to it, is left to member.ts.

import { type ChildProcess, fork, type SendHandle } from 'node:child_process'
import type { LogOutput } from '../../lib/log-output.ts'
import type { TcpHandle } from '../net/node-internals.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { WholeLines } from './whole-lines.ts'

export interface WorkerEvents {
  onMessage(message: FromWorker): void
  /** Told once, when the process is gone and all it wrote has been read. */
  onEnd(code: number | null, signal: string | null): void
}

export interface WorkerProcess {
  readonly pid: number | undefined
  /** Lost if the process is gone. */
  send(message: ToWorker, handle?: TcpHandle): void
  /** Ends it by SIGKILL. */
  kill(): void
}

export type Fork = (number: number, events: WorkerEvents) => WorkerProcess

/** Forks `program`, a JavaScript file, with the worker's number as its argument. */
export function forkOf(program: string, output: LogOutput): Fork {
  return (number, events) => new ForkedWorker(program, number, output, events)
}

class ForkedWorker implements WorkerProcess {
  readonly #child: ChildProcess

  constructor(program: string, number: number, output: LogOutput, events: WorkerEvents) {
    const child = fork(program, [String(number)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    this.#child = child
    const lines = new WholeLines(output)
    child.stdout?.on('data', (chunk: Buffer) => {
      lines.take(chunk)
    })
    child.on('message', (message) => {
      events.onMessage(message as FromWorker)
    })
    child.on('error', () => {
      // It could not be started: nothing else will be told.
      if (child.pid === undefined) events.onEnd(null, null)
    })
    child.on('close', (code, signal) => {
      if (child.pid !== undefined) events.onEnd(code, signal)
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  send(message: ToWorker, handle?: TcpHandle): void {
    if (!this.#child.connected) return
    // Node passes on its own TCP handles as they are; only its types do not say so.
    this.#child.send(message, handle as unknown as SendHandle | undefined, {}, () => undefined)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
