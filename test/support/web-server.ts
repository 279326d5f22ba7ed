// A Node.js web server in a pod (web-program.ts), and what it says of itself.

import type { Mesh, MeshPod } from './mesh.ts'
import { PodServer } from './pod-server.ts'
import type { WebState } from './web-program.ts'

export class WebServer extends PodServer<WebState> {
  /** Resolves when it listens. */
  static async start(mesh: Mesh, pod: MeshPod, port = 8080): Promise<WebServer> {
    const server = new WebServer('web', mesh, pod, port)
    await server.child.prints(/"listening"/)
    return server
  }

  /** Sends an event to whoever reads /events. */
  say(text: string): void {
    this.tell(`say ${text}`)
  }

  /** Closes as a well-behaved server does: requests under way are answered. */
  async stop(): Promise<void> {
    this.tell('stop')
    await this.child.exited
  }
}
