// What a scenario is built of: one clock, addresses, applications, pods, a caller's sidecar; and the figures of the
// applications, read off once a second.

import {
  DEFAULT_LOAD_BALANCER,
  DEFAULT_RETRY_BUDGET,
  DEFAULT_RULES,
  DEFAULT_TIMEOUTS,
  type EndpointSlice,
  type Resources,
  type Service,
  type TrafficPolicy,
} from '../../src/api/resources.ts'
import { formatAddress, type SocketAddress } from '../../src/lib/address.ts'
import type { Millis } from '../../src/lib/duration.ts'
import { stream } from './chance.ts'
import { VirtualClock } from './clock.ts'
import { Instance, type InstanceRules } from './instance.ts'
import type { Server } from './server.ts'
import { type Network, Sidecar } from './sidecar.ts'

export const PORT = 8080
const NAMESPACE = 'default'
const ORIGIN = { file: 'simulation', document: 1 }

/** How long what is under way at the end is waited for. */
const AFTERWARDS: Millis = 5000

/** What a scenario asks of the mesh, besides the defaults. */
export type Policy = Partial<
  Omit<TrafficPolicy, 'kind' | 'name' | 'namespace' | 'origin' | 'service' | 'section'>
>

export class SimulatedWorld {
  readonly clock: VirtualClock = new VirtualClock()
  readonly network: Network = new Map()
  readonly #seed: number
  readonly #services: Service[] = []
  readonly #slices: EndpointSlice[] = []
  readonly #policies: TrafficPolicy[] = []
  #addresses = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  stream(name: string): () => number {
    return stream(this.#seed, name)
  }

  instance(name: string, rules: InstanceRules): Instance {
    return new Instance(name, this.clock, rules)
  }

  /** Gives it an address. */
  place(server: Server): SocketAddress {
    this.#addresses += 1
    const ip = `198.18.${this.#addresses >> 8}.${this.#addresses & 255}`
    this.network.set(formatAddress(ip, PORT), server)
    return { ip, port: PORT }
  }

  /** A Service, with its policy; to be called `name.default:8080`. */
  service(name: string, addresses: readonly SocketAddress[], policy: Policy = {}): void {
    const about = { namespace: NAMESPACE, origin: ORIGIN }
    this.#services.push({
      ...{ kind: 'Service', name, ...about, clusterIPs: [], clientIpAffinity: false },
      ports: [{ name: '', port: PORT, appProtocol: 'http' }],
    })
    this.#slices.push({
      ...{ kind: 'EndpointSlice', name, ...about, service: name, weight: 1 },
      ports: [{ name: '', port: PORT }],
      endpoints: addresses.map(({ ip }) => ({ addresses: [ip], ready: true })),
    })
    this.#policies.push({ ...plainPolicy(name), ...policy })
  }

  /** A sidecar that knows all Services there are now. */
  sidecar(name: string): Sidecar {
    const sidecar = new Sidecar(this.clock, this.stream(`sidecar ${name}`), this.network)
    sidecar.update(this.#resources())
    return sidecar
  }

  /** Reads `value` at the end of every second, so that each has what came in it. */
  eachSecond(seconds: number, value: () => number): number[] {
    const values: number[] = []
    let before = value()
    this.clock.every(1000, () => {
      if (values.length >= seconds) return
      const now = value()
      values.push(now - before)
      before = now
    })
    return values
  }

  /** Lets the seconds pass, and then some, so that what began in the last of them can end too. */
  run(seconds: number): void {
    this.clock.run(seconds * 1000 + AFTERWARDS)
  }

  at(second: number, task: () => void): void {
    this.clock.after(second * 1000 - this.clock.now(), task)
  }

  #resources(): Resources {
    return {
      services: [...this.#services],
      endpointSlices: [...this.#slices],
      trafficPolicies: [...this.#policies],
      serviceAccounts: [],
    }
  }
}

/** Nothing but the defaults of a policy, and no request sent again. */
function plainPolicy(service: string): TrafficPolicy {
  return {
    kind: 'TrafficPolicy',
    name: service,
    namespace: NAMESPACE,
    origin: ORIGIN,
    service,
    section: undefined,
    mode: 'l7',
    directToEndpoint: 'endpoint',
    loadBalancer: DEFAULT_LOAD_BALANCER,
    timeouts: DEFAULT_TIMEOUTS,
    maxConnections: undefined,
    maxPendingRequests: undefined,
    maxRequests: undefined,
    maxRetries: undefined,
    rules: { ...DEFAULT_RULES, retries: { ...DEFAULT_RULES.retries, attempts: 0 } },
    routes: [],
    retryBudget: DEFAULT_RETRY_BUDGET,
    outlier: undefined,
  }
}

/** One way between pods. */
export const BETWEEN_PODS: Millis = 0.25
/** And within one. */
export const WITHIN_POD: Millis = 0.02
