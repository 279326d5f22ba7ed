// A client and three instances of an application with a capacity, each in a pod with a sidecar, for the scenarios of
// resilience. Any number of Services stand for the same three, so that each scenario has policies, breakers, budgets
// and metrics of its own.

import type { Test } from 'tap'
import { policy, service } from './manifests.ts'
import { type Fields, Mesh, type MeshPod, type SidecarPod } from './mesh.ts'
import { OpenLoad } from './open-load.ts'
import type { OpenLoadOptions } from './open-load-program.ts'
import { type AppOptions, ServiceApp } from './service-app.ts'

interface Known {
  readonly ip: string
  readonly spec: Fields
  /** Whose addresses stand for it; the three unless told. */
  readonly behind: readonly MeshPod[]
}

export class Trio {
  readonly mesh: Mesh
  readonly client: SidecarPod
  readonly pods: readonly SidecarPod[]
  readonly apps: ServiceApp[]
  readonly #options: AppOptions
  readonly #services = new Map<string, Known>()

  private constructor(
    mesh: Mesh,
    client: SidecarPod,
    pods: readonly SidecarPod[],
    apps: ServiceApp[],
    options: AppOptions,
  ) {
    this.mesh = mesh
    this.client = client
    this.pods = pods
    this.apps = apps
    this.#options = options
  }

  static async open(t: Test, options: AppOptions, config: Fields = {}): Promise<Trio> {
    const mesh = await Mesh.open(t, config)
    const [client, ...pods] = await Promise.all([
      mesh.meshed('client'),
      mesh.meshed('one'),
      mesh.meshed('two'),
      mesh.meshed('three'),
    ])
    const start = async (pod: SidecarPod) => await ServiceApp.start(mesh, pod, options)
    const apps = await Promise.all(pods.map(start))
    return new Trio(mesh, client, pods, apps, options)
  }

  /** Publishes a Service with a policy, or changes its policy. Gives its URL. */
  async service(
    name: string,
    spec: Fields = {},
    behind: readonly MeshPod[] = this.pods,
  ): Promise<string> {
    const known = this.#services.get(name)
    const ip = known?.ip ?? `198.19.0.${10 + this.#services.size}`
    this.#services.set(name, { ip, spec, behind })
    await this.announce()
    return `http://${ip}/`
  }

  /** Says which of the instances are ready. */
  async announce(isReady: (pod: MeshPod) => boolean = () => true): Promise<void> {
    const resources = [...this.#services].flatMap(([name, { ip, spec, behind }]) => {
      const endpoints = behind.map((pod) => ({ ip: pod.ip, ready: isReady(pod) }))
      const shop = service({ name, ips: [ip], port: 80, target: 8080, endpoints })
      return [...shop, policy(name, spec)]
    })
    const before = this.client.sidecar.lines.length
    await this.mesh.publish('trio.yaml', resources)
    const refused = this.client.sidecar.find({ event: 'discovery-refused' }, before)
    if (refused.length > 0) throw new Error(JSON.stringify(refused))
  }

  /** Starts the application of a pod anew. */
  async restart(index: number): Promise<ServiceApp> {
    const app = await ServiceApp.start(this.mesh, this.#pod(index), this.#options)
    this.apps[index] = app
    return app
  }

  async load(options: OpenLoadOptions): Promise<OpenLoad> {
    return await OpenLoad.start(this.client, options)
  }

  #pod(index: number): SidecarPod {
    const pod = this.pods[index]
    if (pod === undefined) throw new Error(`no pod ${index}`)
    return pod
  }
}
