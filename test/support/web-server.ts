// A Node.js web server in a pod (web-program.ts), and what it says of itself.

import { appendFileSync, chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Child } from '../../demo/pods/child.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import type { Mesh, MeshPod } from './mesh.ts'
import { until } from './until.ts'
import type { WebState } from './web-program.ts'

export class WebServer {
  readonly child: Child
  readonly name: string
  readonly #file: string
  readonly #lines: unknown[] = []

  private constructor(mesh: Mesh, { pod }: MeshPod, port: number) {
    this.name = pod.name
    this.#file = join(mesh.folder, `executed-${pod.name}-${port}`)
    appendFileSync(this.#file, '')
    chmodSync(this.#file, 0o666)
    const program = 'build/test/support/web-program.js'
    this.child = pod.start(APP_UID, ['node', program, pod.name, `${port}`, this.#file])
    const { stdout } = this.child.process
    if (stdout === null) throw new Error('no output of the web server')
    createInterface({ input: stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line))
    })
  }

  /** Resolves when it listens. Started again at the same port, it goes on with what was executed there before. */
  static async start(mesh: Mesh, pod: MeshPod, port = 8080): Promise<WebServer> {
    const server = new WebServer(mesh, pod, port)
    await server.child.prints(/"listening"/)
    return server
  }

  /** What it has counted since it was started. */
  async state(): Promise<WebState> {
    const before = this.#lines.length
    this.#tell('state')
    return (await until('the state', () => this.#lines[before])) as WebState
  }

  /** Sends an event to whoever reads /events. */
  say(text: string): void {
    this.#tell(`say ${text}`)
  }

  /** Closes as a well-behaved server does: requests under way are answered. */
  async stop(): Promise<void> {
    this.#tell('stop')
    await this.child.exited
  }

  /** Ends it with SIGKILL: the kernel closes its connections. */
  async kill(): Promise<void> {
    this.child.process.kill('SIGKILL')
    await this.child.exited
  }

  /** The ids of the requests that were executed. */
  get executed(): string[] {
    if (!existsSync(this.#file)) return []
    return readFileSync(this.#file, 'utf8')
      .split('\n')
      .filter((id) => id !== '')
  }

  #tell(line: string): void {
    this.child.process.stdin?.write(`${line}\n`)
  }
}
