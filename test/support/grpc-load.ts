// A load of unary calls in a pod, on one channel, until it is told to stop (grpc-load-program.ts).

import type { Child } from '../../demo/pods/child.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import type { GrpcLoaded } from './grpc-load-program.ts'
import type { MeshPod } from './mesh.ts'

export class GrpcLoad {
  readonly #child: Child

  private constructor(child: Child) {
    this.#child = child
  }

  static async start({ pod }: MeshPod, target: string, atOnce: number): Promise<GrpcLoad> {
    const program = 'build/test/support/grpc-load-program.js'
    const child = pod.start(APP_UID, ['node', program, target, `${atOnce}`])
    await child.prints(/"started"/)
    return new GrpcLoad(child)
  }

  async stop(): Promise<GrpcLoaded> {
    const { stdout } = await this.#child.finish('stop\n')
    const line = stdout.split('\n').find((each) => each.startsWith('{'))
    if (line === undefined) throw new Error(this.#child.describe())
    return JSON.parse(line) as GrpcLoaded
  }
}
