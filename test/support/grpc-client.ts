// A gRPC client in a pod (grpc-client-program.ts): one channel, over which any number of calls are made at once.

import { createInterface } from 'node:readline'
import type { Child } from '../../demo/pods/child.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import type { Called, Order, Streamed } from './grpc-client-program.ts'
import type { MeshPod } from './mesh.ts'
import { until } from './until.ts'

type CallOptions = Omit<Extract<Order, { op: 'call' }>, 'op' | 'method'>

export class GrpcClient {
  readonly child: Child
  readonly #answers = new Map<number, unknown>()
  #orders = 0

  private constructor(child: Child) {
    this.child = child
    const { stdout } = child.process
    if (stdout === null) throw new Error('no output of the gRPC client')
    createInterface({ input: stdout }).on('line', (line) => {
      if (!line.startsWith('[')) return
      const [id, answer] = JSON.parse(line) as [number, unknown]
      this.#answers.set(id, answer)
    })
  }

  static async start({ pod }: MeshPod, target: string): Promise<GrpcClient> {
    const program = 'build/test/support/grpc-client-program.js'
    const child = pod.start(APP_UID, ['node', program, target])
    await child.prints(/"started"/)
    return new GrpcClient(child)
  }

  async call(method: 'who' | 'end' | 'stall', options: CallOptions = {}): Promise<Called> {
    return (await this.#ask({ op: 'call', method, ...options })) as Called
  }

  /** So many calls, `atOnce` at once: who answered them. */
  async tally(count: number, atOnce = 1): Promise<Record<string, number>> {
    return (await this.#ask({ op: 'tally', count, atOnce })) as Record<string, number>
  }

  async stream(op: 'many' | 'collect' | 'chat', count: number, size: number): Promise<Streamed> {
    return (await this.#ask({ op, count, size })) as Streamed
  }

  /** Opens a stream both ways that stays. Gives whom it is with. */
  async open(name: string): Promise<string> {
    return (await this.#ask({ op: 'open', name })) as string
  }

  /** Gives what comes back. */
  async say(name: string, text: string): Promise<string> {
    return (await this.#ask({ op: 'say', name, text })) as string
  }

  async end(name: string): Promise<Streamed> {
    return (await this.#ask({ op: 'end', name })) as Streamed
  }

  /** Gives the time, in milliseconds since 1970. */
  async cancel(name: string): Promise<number> {
    return (await this.#ask({ op: 'cancel', name })) as number
  }

  async #ask(order: Order): Promise<unknown> {
    const id = ++this.#orders
    this.child.process.stdin?.write(`${JSON.stringify([id, order])}\n`)
    const look = (): [unknown] | undefined => {
      if (this.#answers.has(id)) return [this.#answers.get(id)]
      if (this.child.exit !== undefined) throw new Error(this.child.describe())
      return undefined
    }
    const [answer] = await until(`the answer to ${JSON.stringify(order)}`, look, 20_000)
    this.#answers.delete(id)
    return answer
  }
}
