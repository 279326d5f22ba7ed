// The manifests of the shop: what the sidecars' discovery reads, shaped as in Kubernetes.
//
// Plain text on purpose: these are the files that a user would write, and the tour edits one as a user would.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs'

export interface Instance {
  readonly ip: string
  readonly ready: boolean
}

export interface ServiceManifest {
  readonly name: string
  readonly clusterIP: string
  readonly port: number
  readonly algorithm: 'roundRobin' | 'leastRequest'
  /** Another port, on which the instances speak HTTP/2. */
  readonly http2Port?: number
  readonly instances: readonly Instance[]
  /** The cookie that keeps a client with an instance. */
  readonly cookie?: string
  /** More lines of the policy's spec; one of timeouts takes the place of the usual one. */
  readonly demands?: readonly string[]
}

/** Service, EndpointSlice and TrafficPolicy of one service. */
export function renderManifest(service: ServiceManifest): string {
  const family = service.clusterIP.includes(':') ? 'IPv6' : 'IPv4'
  const endpoints = service.instances.map(
    ({ ip, ready }) => `  - { addresses: ["${ip}"], conditions: { ready: ${ready} } }`,
  )
  const { algorithm, cookie, demands = [], http2Port } = service
  // Nothing is said of what they speak: the sidecars look.
  const ports =
    http2Port === undefined
      ? [`{ port: ${service.port}, protocol: TCP }`]
      : [
          `{ name: web, port: ${service.port}, protocol: TCP }`,
          `{ name: http2, port: ${http2Port}, protocol: TCP }`,
        ]
  const usual = demands.some((line) => line.startsWith('timeouts:'))
    ? []
    : ['timeouts: { connect: 1s, idle: 5m }']
  const affinity = `sessionAffinity: { cookie: { name: ${cookie ?? ''}, ttl: 0s } }`
  const loadBalancer = [`algorithm: ${algorithm}`, ...(cookie === undefined ? [] : [affinity])]
  return `apiVersion: v1
kind: Service
metadata: { name: ${service.name}, namespace: default }
spec:
  clusterIP: "${service.clusterIP}"
  ports:
${ports.map((port) => `    - ${port}`).join('\n')}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${service.name}-1
  namespace: default
  labels: { kubernetes.io/service-name: ${service.name} }
addressType: ${family}
ports:
${ports.map((port) => `  - ${port}`).join('\n')}
endpoints:
${endpoints.join('\n')}
---
apiVersion: underpass.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: ${service.name}, namespace: default }
spec:
  targetRef: { kind: Service, name: ${service.name} }
  loadBalancer: { ${loadBalancer.join(', ')} }
${[...usual, ...demands].map((line) => `  ${line}\n`).join('')}`
}

/** Writes the manifest as an editor does: whole, and in one step. */
export function writeManifest(folder: string, service: ServiceManifest): void {
  mkdirSync(folder, { recursive: true })
  const draft = `${folder}.draft`
  writeFileSync(draft, renderManifest(service))
  renameSync(draft, `${folder}/${service.name}.yaml`)
}
