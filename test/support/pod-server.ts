// A server program of the tests in a pod: told by lines, it answers by lines of JSON, and writes down what it has
// executed where that outlives it. What it serves is its program's.

import { appendFileSync, chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Child } from '../../demo/pods/child.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import type { Mesh, MeshPod } from './mesh.ts'
import { until } from './until.ts'

export abstract class PodServer<State> {
  readonly child: Child
  readonly name: string
  readonly #file: string
  readonly #lines: unknown[] = []

  /** `program` is the name of its file in test/support, without `-program.ts`. */
  constructor(program: string, mesh: Mesh, { pod }: MeshPod, port: number) {
    this.name = pod.name
    this.#file = join(mesh.folder, `executed-${program}-${pod.name}-${port}`)
    appendFileSync(this.#file, '')
    chmodSync(this.#file, 0o666)
    const path = `build/test/support/${program}-program.js`
    this.child = pod.start(APP_UID, ['node', path, pod.name, `${port}`, this.#file])
    const { stdout } = this.child.process
    if (stdout === null) throw new Error(`no output of ${program}`)
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.#lines.push(JSON.parse(line))
    })
  }

  /** What it has counted since it was started. */
  async state(): Promise<State> {
    const before = this.#lines.length
    this.tell('state')
    return (await until('the state', () => this.#lines[before])) as State
  }

  /** Ends it with SIGKILL: the kernel closes its connections. */
  async kill(): Promise<void> {
    this.child.process.kill('SIGKILL')
    await this.child.exited
  }

  /** The ids of what was executed; started again at the same port, it goes on with them. */
  get executed(): string[] {
    return readFileSync(this.#file, 'utf8')
      .split('\n')
      .filter((id) => id !== '')
  }

  protected tell(line: string): void {
    this.child.process.stdin?.write(`${line}\n`)
  }
}
