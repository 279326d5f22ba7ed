// A gRPC server in a pod (grpc-server-program.ts), and what it says of itself.

import { appendFileSync, chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Child } from '../../demo/pods/child.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import type { GrpcState } from './grpc-calls.ts'
import type { Mesh, MeshPod } from './mesh.ts'
import { until } from './until.ts'

export class GrpcServer {
  readonly child: Child
  readonly name: string
  readonly #file: string
  readonly #lines: unknown[] = []

  private constructor(mesh: Mesh, { pod }: MeshPod, port: number) {
    this.name = pod.name
    this.#file = join(mesh.folder, `called-${pod.name}-${port}`)
    appendFileSync(this.#file, '')
    chmodSync(this.#file, 0o666)
    const program = 'build/test/support/grpc-server-program.js'
    this.child = pod.start(APP_UID, ['node', program, pod.name, `${port}`, this.#file])
    const { stdout } = this.child.process
    if (stdout === null) throw new Error('no output of the gRPC server')
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.#lines.push(JSON.parse(line))
    })
  }

  /** Resolves when it listens. Started again at the same port, it goes on with what was executed there before. */
  static async start(mesh: Mesh, pod: MeshPod, port = 8080): Promise<GrpcServer> {
    const server = new GrpcServer(mesh, pod, port)
    await server.child.prints(/"listening"/)
    return server
  }

  async state(): Promise<GrpcState> {
    const before = this.#lines.length
    this.#tell('state')
    return (await until('the state', () => this.#lines[before])) as GrpcState
  }

  /** `tryShutdown`: says GOAWAY, and ends when the calls under way have. Resolves when it has begun to. */
  async drain(): Promise<void> {
    this.#tell('drain')
    await this.child.prints(/"draining"/)
  }

  /** Ends it with SIGKILL: the kernel closes its connections. */
  async kill(): Promise<void> {
    this.child.process.kill('SIGKILL')
    await this.child.exited
  }

  /** The ids of the calls that were executed. */
  get executed(): string[] {
    return readFileSync(this.#file, 'utf8')
      .split('\n')
      .filter((id) => id !== '')
  }

  #tell(line: string): void {
    this.child.process.stdin?.write(`${line}\n`)
  }
}
