// A gRPC server in a pod (grpc-server-program.ts), and what it says of itself.

import type { GrpcState } from './grpc-calls.ts'
import type { Mesh, MeshPod } from './mesh.ts'
import { PodServer } from './pod-server.ts'

export class GrpcServer extends PodServer<GrpcState> {
  /** Resolves when it listens. */
  static async start(mesh: Mesh, pod: MeshPod, port = 8080): Promise<GrpcServer> {
    const server = new GrpcServer('grpc-server', mesh, pod, port)
    await server.child.prints(/"listening"/)
    return server
  }

  /** `tryShutdown`: says GOAWAY, and ends when the calls under way have. Resolves when it has begun to. */
  async drain(): Promise<void> {
    this.tell('drain')
    await this.child.prints(/"draining"/)
  }
}
