// The command line as a person or a container runs it: a process, what it said, and how it ended.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { until } from '../support/until.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

export type Environment = Readonly<Record<string, string>>

export class Running {
  out = ''
  err = ''
  readonly child: ChildProcess
  readonly #ended: Promise<unknown[]>

  constructor(args: readonly string[], env: Environment) {
    const { PATH = '' } = process.env
    this.child = spawn(process.execPath, [MAIN, ...args], { env: { PATH, ...env } })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text
    })
    this.#ended = once(this.child, 'close')
  }

  /** The exit status, or the name of the signal that ended it. */
  async status(): Promise<unknown> {
    const [code, signal] = await this.#ended
    return code ?? signal
  }

  /** The log's lines of one event. */
  events(event: string): Record<string, unknown>[] {
    return this.out
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line['event'] === event)
  }

  /** Where it listens for what `key` of the configuration says. */
  async listening(key: string): Promise<string> {
    const line = await until(`${key} is listened on`, () => {
      return this.events('listening').find((found) => found['key'] === key)
    })
    return String(line['address'])
  }

  async event(name: string): Promise<Record<string, unknown>> {
    return await until(`the event ${name}`, () => this.events(name)[0])
  }
}

/** Starts the command; it is ended with the test at the latest. */
export function start(t: Test, args: readonly string[], env: Environment = {}): Running {
  const running = new Running(args, env)
  t.teardown(async () => {
    running.child.kill('SIGKILL')
    await running.status()
  })
  return running
}
