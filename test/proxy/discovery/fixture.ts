// Resources of a Service named shop, and a catalog to put them into: what the catalog's tests start from.

import {
  DEFAULT_RETRY_BUDGET,
  DEFAULT_RULES,
  type EndpointSlice,
  NO_RESOURCES,
  type Resources,
  type Service,
  type TrafficPolicy,
} from '../../../src/api/resources.ts'
import { seededRandom } from '../../../src/lib/random.ts'
import { Catalog } from '../../../src/proxy/discovery/catalog.ts'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import type { Destination } from '../../../src/proxy/stack/destination.ts'
import type { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'

const META = { namespace: 'default', origin: { file: 'mesh.yaml', document: 1 } }

export function service(change: Partial<Service> = {}): Service {
  const ports = [{ name: 'web', port: 80, appProtocol: '' }]
  return {
    ...{ kind: 'Service', name: 'shop', ...META, clusterIPs: ['10.96.0.1'], ports },
    clientIpAffinity: false,
    ...change,
  }
}

/** Ready endpoints at these addresses, port `web` at 8080. */
export function slice(ips: readonly string[], change: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    ...{ kind: 'EndpointSlice', name: 'shop-1', service: 'shop', weight: 1, ...META },
    ports: [{ name: 'web', port: 8080 }],
    endpoints: ips.map((ip) => ({ addresses: [ip], ready: true })),
    ...change,
  }
}

export function policy(change: Partial<TrafficPolicy> = {}): TrafficPolicy {
  return {
    ...{ kind: 'TrafficPolicy', name: 'shop', service: 'shop', section: undefined, ...META },
    ...{ mode: undefined, directToEndpoint: 'endpoint' },
    loadBalancer: { algorithm: 'leastRequest', affinity: { kind: 'none' } },
    timeouts: { connect: 700, idle: 7000 },
    ...{ maxConnections: undefined, maxPendingRequests: undefined },
    ...{ maxRequests: undefined, maxRetries: undefined, rules: DEFAULT_RULES, routes: [] },
    ...{ retryBudget: DEFAULT_RETRY_BUDGET, outlier: undefined },
    ...change,
  }
}

export class World {
  readonly counters: CounterRegistry = new CounterRegistry()
  readonly clock: FakeClock = new FakeClock()
  readonly catalog: Catalog = new Catalog(this.counters, {
    clock: this.clock,
    random: seededRandom(1),
    log: logLines().log,
  })

  update(change: Partial<Resources>, now = 0): void {
    this.catalog.update({ ...NO_RESOURCES, ...change }, now)
  }

  named(name: string, port = 80): Destination {
    const found = this.catalog.table.named(name, port)
    if (found === undefined) throw new Error(`no ${name}`)
    return found
  }

  keys(name = 'shop.default', port = 80): string[] {
    return this.named(name, port).picker.endpoints.map(({ key }) => key)
  }

  endpoint(at = 0): Endpoint {
    const found = this.named('shop.default').picker.endpoints[at]
    if (found === undefined) throw new Error(`no endpoint ${at}`)
    return found
  }
}
