// From resources to destinations: which Service port has which endpoints, under which policy, at which addresses.
//
// Destinations and endpoints keep their identity across updates (so do their counts of open connections); only
// pickers and the route table are made anew. Open connections are never touched by an update. Where resources come
// from is left to the sources.

import {
  DEFAULT_LOAD_BALANCER,
  DEFAULT_TIMEOUTS,
  type EndpointSlice,
  type Resources,
  type Service,
  type ServicePort,
  type TrafficPolicy,
} from '../../api/resources.ts'
import { formatAddress } from '../../lib/address.ts'
import type { Random } from '../../lib/random.ts'
import { makePicker } from '../balance/picker.ts'
import { RouteTable } from '../route/route-table.ts'
import type { CounterRegistry } from '../stack/counters.ts'
import { Destination, SinglePicker } from '../stack/destination.ts'
import { Endpoint } from '../stack/endpoint.ts'

interface ServiceEntry {
  readonly destination: Destination
  /** Those that discovery has, and those that it had and that a connection is open to: they may come back. */
  readonly endpoints: Map<string, Endpoint>
  /** For connections to an endpoint's own address. */
  readonly direct: Map<string, Destination>
}

interface Found {
  readonly endpoint: Endpoint
  readonly isReady: boolean
}

export class Catalog {
  table: RouteTable = new RouteTable()
  readonly #counters: CounterRegistry
  readonly #random: Random
  readonly #entries = new Map<string, ServiceEntry>()

  constructor(counters: CounterRegistry, random: Random) {
    this.#counters = counters
    this.#random = random
  }

  /** Takes a new state into force for connections that begin after it. `now` is the clock's. */
  update(resources: Resources, now: number): void {
    const byAddress = new Map<string, Destination>()
    const byName = new Map<string, Destination>()
    const directs: [string, Destination][] = []
    const slicesOf = groupByService(resources.endpointSlices)
    for (const service of resources.services) {
      const slices = slicesOf.get(`${service.name}.${service.namespace}`) ?? []
      for (const port of service.ports) {
        const policy = policyFor(resources.trafficPolicies, service, port)
        const label = `${service.name}.${service.namespace}:${port.port}`
        const entry = this.#entry(label)
        this.#apply(entry, slices, service, port, policy, now)
        byName.set(label, entry.destination)
        for (const ip of service.clusterIPs) {
          byAddress.set(formatAddress(ip, port.port), entry.destination)
        }
        const whole = policy?.directToEndpoint === 'balance'
        for (const [key, direct] of entry.direct) {
          directs.push([key, whole ? entry.destination : direct])
        }
      }
    }
    for (const [key, direct] of directs) if (!byAddress.has(key)) byAddress.set(key, direct)
    this.#retire(byName, now)
    const serviceIps = new Set(resources.services.flatMap(({ clusterIPs }) => clusterIPs))
    this.table = new RouteTable(byAddress, byName, serviceIps)
  }

  #entry(label: string): ServiceEntry {
    const known = this.#entries.get(label)
    if (known !== undefined) return known
    const none = makePicker(DEFAULT_LOAD_BALANCER, [], this.#random)
    const rules = { connectTimeout: DEFAULT_TIMEOUTS.connect, idleTimeout: DEFAULT_TIMEOUTS.idle }
    const destination = new Destination('outbound', label, none, rules)
    const made = { destination, endpoints: new Map(), direct: new Map() }
    this.#entries.set(label, made)
    return made
  }

  #apply(
    entry: ServiceEntry,
    slices: readonly EndpointSlice[],
    service: Service,
    port: ServicePort,
    policy: TrafficPolicy | undefined,
    now: number,
  ): void {
    const { destination, endpoints, direct } = entry
    const found = this.#endpointsOf(entry, slices, port)
    for (const [key, endpoint] of endpoints) {
      if (found.has(key)) continue
      if (endpoint.open === 0) endpoints.delete(key)
      direct.delete(key)
      endpoint.counters.retiredAt ??= now
    }
    destination.connectTimeout = policy?.timeouts.connect ?? DEFAULT_TIMEOUTS.connect
    destination.idleTimeout = policy?.timeouts.idle ?? DEFAULT_TIMEOUTS.idle
    destination.maxConnections = policy?.maxConnections ?? Number.POSITIVE_INFINITY
    const wanted = policy?.loadBalancer ?? DEFAULT_LOAD_BALANCER
    const balancer = { ...wanted, sourceIp: wanted.sourceIp || service.clientIpAffinity }
    const ready = [...found.values()].filter(({ isReady }) => isReady)
    const endpointsReady = ready.map(({ endpoint }) => endpoint)
    destination.picker = makePicker(balancer, endpointsReady, this.#random)
    // One that is not ready takes no share, but who dials it by its own address means it (a peer of a StatefulSet).
    for (const [key, { endpoint }] of found) {
      const alone = direct.get(key) ?? directTo(destination, endpoint)
      alone.connectTimeout = destination.connectTimeout
      alone.idleTimeout = destination.idleTimeout
      alone.maxConnections = destination.maxConnections
      direct.set(key, alone)
    }
  }

  /** The endpoints of a Service's port, by address: known ones are the same objects. */
  #endpointsOf(
    { destination, endpoints }: ServiceEntry,
    slices: readonly EndpointSlice[],
    port: ServicePort,
  ): Map<string, Found> {
    const found = new Map<string, Found>()
    for (const slice of slices) {
      const target = slice.ports.find(({ name }) => name === port.name)
      if (target === undefined) continue
      for (const { addresses, ready: isReady } of slice.endpoints) {
        // The addresses of one endpoint are ways to the same process: the first stands for it (Kubernetes' rule).
        const ip = addresses[0]
        if (ip === undefined) continue
        const key = formatAddress(ip, target.port)
        const counters = this.#counters.of('outbound', destination.service, key)
        const known = endpoints.get(key)
        // One that was gone for so long that its counters were forgotten is a new one.
        const endpoint =
          known?.counters === counters
            ? known
            : new Endpoint({ ip, port: target.port }, slice.weight, counters)
        endpoint.weight = slice.weight
        endpoints.set(key, endpoint)
        found.set(key, { endpoint, isReady: isReady || found.get(key)?.isReady === true })
      }
    }
    return found
  }

  #retire(current: ReadonlyMap<string, Destination>, now: number): void {
    for (const [label, entry] of this.#entries) {
      if (current.has(label)) continue
      entry.direct.clear()
      for (const [key, endpoint] of entry.endpoints) {
        endpoint.counters.retiredAt ??= now
        if (endpoint.open === 0) entry.endpoints.delete(key)
      }
      if (entry.destination.open === 0 && entry.endpoints.size === 0) this.#entries.delete(label)
    }
  }
}

function groupByService(slices: readonly EndpointSlice[]): Map<string, EndpointSlice[]> {
  const groups = new Map<string, EndpointSlice[]>()
  for (const slice of slices) {
    const key = `${slice.service}.${slice.namespace}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [slice])
    else group.push(slice)
  }
  return groups
}

/** The policy for just this port, else the one for the whole Service. */
function policyFor(
  policies: readonly TrafficPolicy[],
  service: Service,
  port: ServicePort,
): TrafficPolicy | undefined {
  const mine = policies.filter(
    (policy) => policy.namespace === service.namespace && policy.service === service.name,
  )
  return (
    mine.find(({ section }) => section !== undefined && section === port.name) ??
    mine.find(({ section }) => section === undefined)
  )
}

function directTo(destination: Destination, endpoint: Endpoint): Destination {
  return new Destination('outbound', destination.service, new SinglePicker(endpoint), destination)
}
