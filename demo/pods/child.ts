// One child process: started, watched, and ended by its own id.
//
// What it prints is kept (the last 256 KiB of each stream), so that a test or the tour can wait for a line and show
// what went wrong. Nothing here knows of namespaces.

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'

const KEPT = 262_144
/** How long the output of an ended program is still read, in milliseconds. */
const LAST_WORDS = 100

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Finished extends Exit {
  readonly stdout: string
  readonly stderr: string
}

export class Child {
  readonly process: ChildProcess
  readonly name: string
  readonly exited: Promise<Exit>
  stdout = ''
  stderr = ''
  exit: Exit | undefined
  readonly #waiting = new Set<() => void>()

  constructor(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [file = '', ...args] = command
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe']
    this.name = command.join(' ')
    this.process = spawn(file, args, { stdio, env: { ...process.env, ...env } })
    this.process.stdin?.on('error', () => undefined)
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout = (this.stdout + text).slice(-KEPT)
      this.#wake()
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-KEPT)
      this.#wake()
    })
    this.exited = new Promise((resolve) => {
      const settle = (exit: Exit): void => {
        if (this.exit !== undefined) return
        this.exit = exit
        this.#wake()
        resolve(exit)
      }
      this.process.once('error', (error) => {
        this.stderr += error.message
        settle({ code: 127, signal: null })
      })
      this.process.once('close', (code, signal) => {
        settle({ code, signal })
      })
    })
  }

  get pid(): number {
    return this.process.pid ?? -1
  }

  /** Resolves once the output matches; rejects if the process ends or `limit` milliseconds pass first. */
  async prints(pattern: RegExp, limit = 15_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        done(new Error(`not printed within ${limit} ms: ${String(pattern)}\n${this.describe()}`))
      }, limit)
      const done = (error?: Error): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        if (error === undefined) resolve()
        else reject(error)
      }
      const look = (): void => {
        if (pattern.test(this.stdout) || pattern.test(this.stderr)) done()
        else if (this.exit !== undefined) done(new Error(`ended early: ${this.describe()}`))
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Writes `input` (if any), closes standard input and waits for the end. */
  async finish(input = ''): Promise<Finished> {
    this.process.stdin?.end(input)
    const exit = await this.exited
    return { ...exit, stdout: this.stdout, stderr: this.stderr }
  }

  /** Ends it: the signal first, SIGKILL after `grace` milliseconds. Safe to call twice. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', grace = 3000): Promise<Exit> {
    if (this.exit !== undefined) return this.exit
    this.process.kill(signal)
    const timer = setTimeout(() => this.process.kill('SIGKILL'), grace)
    const closeOutput = (): void => {
      setTimeout(this.#closeOutput, LAST_WORDS)
    }
    const hasExited = this.process.exitCode !== null || this.process.signalCode !== null
    if (hasExited) closeOutput()
    else this.process.once('exit', closeOutput)
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }

  // What the program itself started may still hold its output open, and would keep it from ever being over.
  readonly #closeOutput = (): void => {
    this.process.stdout?.destroy()
    this.process.stderr?.destroy()
  }

  describe(): string {
    const state =
      this.exit === undefined ? 'running' : `exit ${String(this.exit.code ?? this.exit.signal)}`
    return `${this.name}: ${state}\n${this.stdout}${this.stderr}`
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look()
  }
}

/** Runs a command to its end; throws with its output if it fails. */
export async function run(command: readonly string[], input = ''): Promise<string> {
  const child = new Child(command)
  const done = await child.finish(input)
  if (done.code !== 0) throw new Error(child.describe())
  return done.stdout
}

/** Waits for the first event of a kind, for at most `limit` milliseconds. */
export async function onceWithin(
  emitter: NodeJS.EventEmitter,
  event: string,
  limit: number,
): Promise<unknown[]> {
  return (await once(emitter, event, { signal: AbortSignal.timeout(limit) })) as unknown[]
}
