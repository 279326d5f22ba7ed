// A load in a pod: a few kept-alive connections under way until it is told to stop (load-program.ts).

import type { Child } from '../../demo/pods/child.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import type { Loaded } from './load-program.ts'
import type { MeshPod } from './mesh.ts'

export class Load {
  readonly #child: Child

  private constructor(child: Child) {
    this.#child = child
  }

  static async start({ pod }: MeshPod, url: string, connections: number): Promise<Load> {
    const program = 'build/test/support/load-program.js'
    const child = pod.start(APP_UID, ['node', program, url, `${connections}`])
    await child.prints(/"started"/)
    return new Load(child)
  }

  async stop(): Promise<Loaded> {
    const { stdout } = await this.#child.finish('stop\n')
    const line = stdout.split('\n').find((each) => each.startsWith('{'))
    if (line === undefined) throw new Error(this.#child.describe())
    return JSON.parse(line) as Loaded
  }
}
