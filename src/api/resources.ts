// The resources of the mesh, as they are after parsing: validated, defaults filled in, names qualified.
//
// Their shapes are those of the Kubernetes kinds with the same names, cut to what the mesh uses. How they are
// read from YAML is left to the parser beside each kind; what they mean for traffic is left to the planes.

import type { Millis } from '../lib/duration.ts'

/** Where a resource stood, for messages: a file and the number of the document in it, from 1. */
export interface Origin {
  readonly file: string
  readonly document: number
}

interface Resource {
  readonly name: string
  readonly namespace: string
  readonly origin: Origin
}

export interface ServicePort {
  /** Empty for the only port of a Service, as in Kubernetes. */
  readonly name: string
  readonly port: number
  /** What the application says it speaks (`http`, `kubernetes.io/h2c`, ...); empty if it does not say. */
  readonly appProtocol: string
}

/** `v1/Service`. */
export interface Service extends Resource {
  readonly kind: 'Service'
  /** Virtual addresses in normal form, none for a headless Service. */
  readonly clusterIPs: readonly string[]
  /** TCP ports; others are left out. */
  readonly ports: readonly ServicePort[]
  /** `sessionAffinity: ClientIP`: connections of one client address go to one endpoint. */
  readonly clientIpAffinity: boolean
}

export interface EndpointSliceEndpoint {
  readonly addresses: readonly string[]
  readonly ready: boolean
}

export interface EndpointSlicePort {
  /** Matches the name of a Service's port. */
  readonly name: string
  readonly port: number
}

/** `discovery.k8s.io/v1/EndpointSlice`. */
export interface EndpointSlice extends Resource {
  readonly kind: 'EndpointSlice'
  /** The Service's name, from the label `kubernetes.io/service-name`. */
  readonly service: string
  readonly ports: readonly EndpointSlicePort[]
  readonly endpoints: readonly EndpointSliceEndpoint[]
  /** Share of traffic of each of these endpoints, from the annotation `underpass.dev/weight`; 1 unless told. */
  readonly weight: number
}

export const ALGORITHMS = [
  'roundRobin',
  'leastRequest',
  'peakEwma',
  'random',
  'ringHash',
  'maglev',
] as const
export type Algorithm = (typeof ALGORITHMS)[number]

/** What clients are known by that stay with one endpoint, as long as it is there. */
export type SessionAffinity =
  | { readonly kind: 'none' }
  | { readonly kind: 'sourceIp' }
  /** By a header's value; its name in lower case. */
  | { readonly kind: 'header'; readonly name: string }
  /** By a cookie that the proxy gives them; a `ttl` of 0 means until the client ends. */
  | { readonly kind: 'cookie'; readonly name: string; readonly ttl: Millis }

export interface LoadBalancer {
  readonly algorithm: Algorithm
  readonly affinity: SessionAffinity
}

export interface Timeouts {
  readonly connect: Millis
  /** How long an open connection may carry no byte in either direction; 0 for as long as it likes. */
  readonly idle: Millis
}

/** `underpass.dev/v1alpha1/TrafficPolicy`. */
export interface TrafficPolicy extends Resource {
  readonly kind: 'TrafficPolicy'
  /** The Service it is for, in its own namespace. */
  readonly service: string
  /** The port it is for, by name; undefined for all ports. */
  readonly section: string | undefined
  /** Connections balanced, or requests; undefined where the proxy's own mode holds. */
  readonly mode: 'l4' | 'l7' | undefined
  /** What a connection to an endpoint's own address means: that endpoint alone, or the whole Service. */
  readonly directToEndpoint: 'endpoint' | 'balance'
  readonly loadBalancer: LoadBalancer
  readonly timeouts: Timeouts
  readonly maxConnections: number | undefined
  /** Requests that wait for a connection at most. */
  readonly maxPendingRequests: number | undefined
}

/** `v1/ServiceAccount`: read so that manifests may carry it; nothing uses it at L4. */
export interface ServiceAccount extends Resource {
  readonly kind: 'ServiceAccount'
}

export type AnyResource = Service | EndpointSlice | TrafficPolicy | ServiceAccount

/** Everything that discovery knows at one moment. Never changed: a new state is a new value. */
export interface Resources {
  readonly services: readonly Service[]
  readonly endpointSlices: readonly EndpointSlice[]
  readonly trafficPolicies: readonly TrafficPolicy[]
  readonly serviceAccounts: readonly ServiceAccount[]
}

export const NO_RESOURCES: Resources = {
  services: [],
  endpointSlices: [],
  trafficPolicies: [],
  serviceAccounts: [],
}

/** What holds for a port that no TrafficPolicy speaks of. */
export const DEFAULT_LOAD_BALANCER: LoadBalancer = {
  algorithm: 'leastRequest',
  affinity: { kind: 'none' },
}
export const DEFAULT_TIMEOUTS: Timeouts = { connect: 1000, idle: 3_600_000 }
export const DEFAULT_MAX_PENDING_REQUESTS = 1024
