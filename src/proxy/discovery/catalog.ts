// From resources to destinations: which Service port has which endpoints, under which policy, at which addresses.
//
// Destinations and endpoints keep their identity across updates (so do their counts of what is open); only the route
// table and the pickers of Services that changed are made anew. What is open is never touched by an update. Where
// resources come from is left to the sources.

import { isDeepStrictEqual } from 'node:util'
import {
  DEFAULT_LOAD_BALANCER,
  DEFAULT_TIMEOUTS,
  type EndpointSlice,
  type LoadBalancer,
  type Resources,
  type Service,
  type ServicePort,
  type TrafficPolicy,
} from '../../api/resources.ts'
import { formatAddress } from '../../lib/address.ts'
import { makeAffinity } from '../balance/affinity.ts'
import { makePicker } from '../balance/picker.ts'
import { DEFAULT_ROUTE } from '../route/make-route.ts'
import { RouteTable } from '../route/route-table.ts'
import type { CounterRegistry } from '../stack/counters.ts'
import { Destination, SinglePicker } from '../stack/destination.ts'
import { Endpoint } from '../stack/endpoint.ts'
import { spokenOn } from './app-protocol.ts'
import { Enforced, type HealthWorld, obeyAs } from './apply-policy.ts'

interface ServiceEntry {
  readonly destination: Destination
  readonly enforced: Enforced
  /** Those that discovery has, and those that it had and that something is open to: they may come back. */
  readonly endpoints: Map<string, Endpoint>
  /** For connections to an endpoint's own address. */
  readonly direct: Map<string, Destination>
  /** What the picker was made of: the policy, the endpoints it has, and their weights. */
  balancer: LoadBalancer
  weights: readonly number[]
}

interface Found {
  readonly endpoint: Endpoint
  readonly isReady: boolean
}

export class Catalog {
  table: RouteTable = new RouteTable()
  readonly #counters: CounterRegistry
  readonly #world: HealthWorld
  readonly #entries = new Map<string, ServiceEntry>()

  constructor(counters: CounterRegistry, world: HealthWorld) {
    this.#counters = counters
    this.#world = world
  }

  /** Once a second. */
  sweep(now: number): void {
    for (const { destination } of this.#entries.values()) destination.health?.sweep(now)
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
    const none = makePicker(DEFAULT_LOAD_BALANCER, [], this.#world.random)
    const rules = { connectTimeout: DEFAULT_TIMEOUTS.connect, idleTimeout: DEFAULT_TIMEOUTS.idle }
    const destination = new Destination('outbound', label, none, rules, DEFAULT_ROUTE)
    const made = {
      ...{ destination, endpoints: new Map(), direct: new Map() },
      ...{ balancer: DEFAULT_LOAD_BALANCER, weights: [], enforced: new Enforced(this.#world) },
    }
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
      retire(endpoint, now)
    }
    entry.enforced.apply(destination, policy)
    const { protocol, wire } = spokenOn(port.appProtocol)
    destination.protocol = protocol
    destination.wire = wire
    const ready = [...found.values()].filter(({ isReady }) => isReady)
    this.#balance(
      entry,
      balancerOf(service, policy),
      ready.map(({ endpoint }) => endpoint),
    )
    entry.enforced.watch(destination.picker.endpoints)
    // One that is not ready takes no share, but who dials it by its own address means it (a peer of a StatefulSet).
    for (const [key, { endpoint }] of found) {
      const alone = direct.get(key) ?? directTo(destination, endpoint)
      obeyAs(alone, destination)
      direct.set(key, alone)
    }
  }

  /** A picker is left alone by what is no news to it: a ring takes milliseconds to build, and turns would begin anew. */
  #balance(entry: ServiceEntry, balancer: LoadBalancer, endpoints: readonly Endpoint[]): void {
    const { destination } = entry
    const had = destination.picker.endpoints
    const weights = endpoints.map(({ weight }) => weight)
    const isSame =
      endpoints.length === had.length && endpoints.every((endpoint, at) => endpoint === had[at])
    const isSameBalancer = isDeepStrictEqual(balancer, entry.balancer)
    if (isSame && isSameBalancer && isDeepStrictEqual(weights, entry.weights)) return
    destination.picker = makePicker(balancer, endpoints, this.#world.random)
    if (!isSameBalancer) destination.affinity = makeAffinity(balancer.affinity)
    entry.balancer = balancer
    entry.weights = weights
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
        const known = endpoints.get(key)
        const wasGone = known?.counters.retiredAt !== undefined
        const counters = this.#counters.of('outbound', destination.service, key)
        // One that was gone for so long that its counters were forgotten is a new one.
        const endpoint =
          known?.counters === counters
            ? known
            : new Endpoint({ ip, port: target.port }, slice.weight, counters)
        // Its pools were told to come to an end; the next request makes a new one.
        if (wasGone) endpoint.forgetPools()
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
        retire(endpoint, now)
        if (endpoint.open === 0) entry.endpoints.delete(key)
      }
      if (entry.destination.open === 0 && entry.endpoints.size === 0) this.#entries.delete(label)
    }
  }
}

/** Discovery no longer has it. */
function retire(endpoint: Endpoint, now: number): void {
  if (endpoint.counters.retiredAt !== undefined) return
  endpoint.counters.retiredAt = now
  endpoint.retirePools()
}

/** What a policy says of affinity beats what the Service says. */
function balancerOf(service: Service, policy: TrafficPolicy | undefined): LoadBalancer {
  const wanted = policy?.loadBalancer ?? DEFAULT_LOAD_BALANCER
  if (!service.clientIpAffinity || wanted.affinity.kind !== 'none') return wanted
  return { ...wanted, affinity: { kind: 'sourceIp' } }
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
  const { service, route, resilience } = destination
  const picker = new SinglePicker(endpoint)
  return new Destination('outbound', service, picker, destination, route, resilience)
}
