// Manifests as plain objects for tests: a Service with its EndpointSlices, and policies for it.

import type { Fields } from './mesh.ts'

export interface TestEndpoint {
  readonly ip: string
  readonly ready?: boolean
  readonly weight?: number
}

export interface TestService {
  readonly name: string
  readonly ips: readonly string[]
  readonly port: number
  /** The endpoints' port, if it is another. */
  readonly target?: number
  readonly appProtocol?: string
  readonly endpoints: readonly TestEndpoint[]
}

/** A Service and one slice per endpoint, so that each can have a weight. */
export function service(wanted: TestService): Fields[] {
  const { name, ips, port, target, appProtocol, endpoints } = wanted
  const spoken = appProtocol === undefined ? {} : { appProtocol }
  const slices = endpoints.map(({ ip, ready = true, weight }, index) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${index}`,
      labels: { 'kubernetes.io/service-name': name },
      ...(weight === undefined ? {} : { annotations: { 'underpass.dev/weight': `${weight}` } }),
    },
    addressType: ip.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [ip], conditions: { ready } }],
    ports: [{ port: target ?? port, ...spoken }],
  }))
  const spec = { clusterIPs: ips, ports: [{ port, ...spoken }] }
  return [{ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec }, ...slices]
}

export function policy(name: string, spec: Fields): Fields {
  return {
    apiVersion: 'underpass.dev/v1alpha1',
    kind: 'TrafficPolicy',
    metadata: { name },
    spec: { targetRef: { kind: 'Service', name }, ...spec },
  }
}
