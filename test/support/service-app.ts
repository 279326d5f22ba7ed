// An application with a capacity in a pod (service-program.ts): told to fail, to be slow or to stall, and asked what
// it has counted.

import { appendFileSync, chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Child } from '../../demo/pods/child.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import type { Mesh, MeshPod } from './mesh.ts'
import type { Order, ServiceOptions, ServiceStats } from './service-program.ts'
import { until } from './until.ts'

export type AppOptions = Partial<Omit<ServiceOptions, 'name' | 'file'>>

export class ServiceApp {
  readonly child: Child
  readonly name: string
  readonly #file: string
  readonly #lines: unknown[] = []

  private constructor(mesh: Mesh, { pod }: MeshPod, options: AppOptions) {
    this.name = pod.name
    this.#file = join(mesh.folder, `executed-${pod.name}`)
    appendFileSync(this.#file, '')
    chmodSync(this.#file, 0o666)
    const usual = { port: 8080, serviceMs: 5, concurrency: 32 }
    const whole: ServiceOptions = { ...usual, ...options, name: pod.name, file: this.#file }
    const program = 'build/test/support/service-program.js'
    this.child = pod.start(APP_UID, ['node', program, JSON.stringify(whole)])
    const { stdout } = this.child.process
    if (stdout === null) throw new Error('no output of the application')
    createInterface({ input: stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line))
    })
  }

  /** Resolves when it listens. Started again in the same pod, it goes on with the keys of what was executed there. */
  static async start(mesh: Mesh, pod: MeshPod, options: AppOptions = {}): Promise<ServiceApp> {
    const app = new ServiceApp(mesh, pod, options)
    await app.child.prints(/"listening"/)
    return app
  }

  /** From the next request on. Gives the time, in milliseconds since 1970. */
  tell(order: Order): number {
    this.child.process.stdin?.write(`${JSON.stringify(order)}\n`)
    return Date.now()
  }

  /** What it has counted since it was started. */
  async stats(): Promise<ServiceStats> {
    const before = this.#lines.length
    this.tell({ mode: 'stats' })
    return (await until('the statistics', () => this.#lines[before])) as ServiceStats
  }

  /** The keys of the requests that were executed. */
  get executed(): string[] {
    return readFileSync(this.#file, 'utf8')
      .split('\n')
      .filter((key) => key !== '')
  }

  /** SIGSTOP: nothing of it runs, while the kernel goes on to accept for it. Gives the time. */
  freeze(): number {
    this.child.process.kill('SIGSTOP')
    return Date.now()
  }

  thaw(): number {
    this.child.process.kill('SIGCONT')
    return Date.now()
  }

  /** Closes as a well-behaved server does: requests under way are answered. */
  async stop(): Promise<void> {
    this.tell({ mode: 'stop' })
    await this.child.exited
  }

  /** Ends it with SIGKILL: the kernel closes its connections. */
  async kill(): Promise<void> {
    this.child.process.kill('SIGKILL')
    await this.child.exited
  }
}

/** The most requests that came to these in one second, `from` and `to` in milliseconds since 1970. */
export async function busiestSecond(
  apps: readonly ServiceApp[],
  from: number,
  to: number,
): Promise<number> {
  const sums = new Map<number, number>()
  for (const { seconds } of await Promise.all(apps.map(async (app) => await app.stats()))) {
    for (const { at, arrived } of seconds) sums.set(at, (sums.get(at) ?? 0) + arrived)
  }
  const within = [...sums].filter(([at]) => (at + 1) * 1000 > from && at * 1000 < to)
  return Math.max(0, ...within.map(([, arrived]) => arrived))
}
