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

/** Of requests, in milliseconds; 0 for none. */
export interface RequestTimeouts {
  /** From the head of the request to the end of the response, every try included. */
  readonly request: Millis
  readonly perTry: Millis
  /** From the end of the request to the head of the response, for one try. */
  readonly responseHeaders: Millis
  /** While no byte of request or response moves. */
  readonly streamIdle: Millis
}

export const RETRY_CAUSES = [
  'connect-failure',
  'reset',
  'refused-stream',
  'per-try-timeout',
  'gateway-error',
  '5xx',
  // Codes that a call of gRPC ends with.
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
] as const
export type RetryCauseWord = (typeof RETRY_CAUSES)[number]

export interface Retries {
  /** Times that a request is sent again at most. */
  readonly attempts: number
  /** Words, and statuses 400 to 599. */
  readonly on: readonly (RetryCauseWord | number)[]
  /** Of requests that may be sent again although they were sent. */
  readonly methods: readonly string[]
  readonly backoff: Backoff
  /** The longest `Retry-After` of a response that is waited for. */
  readonly retryAfter: Millis
  /** A safe request without a response after so long is sent to another endpoint as well; 0 for never. */
  readonly hedgeAfter: Millis
}

/** It doubles from `base` up to `max`. */
export interface Backoff {
  readonly base: Millis
  readonly max: Millis
}

/** What retries may add to the load of a Service, over a window of time. */
export interface RetryBudget {
  /** Of the requests in the window. */
  readonly percent: number
  /** So many are allowed in any case. */
  readonly minPerSecond: number
  readonly window: Millis
}

/** When an endpoint is ejected, and for how long. */
export interface Outlier {
  /** 0 for never, as for the next two. */
  readonly consecutiveFailures: number
  /** Of the requests in `window`, 0 to 1. */
  readonly minSuccessRate: number
  /** Times the median latency of the others. */
  readonly slowerThanPeers: number
  /** Requests that a rate or a latency is judged by at least. */
  readonly minRequests: number
  readonly window: Millis
  readonly ejection: Backoff
  readonly maxEjectedPercent: number
  /** With a smaller share of endpoints well, ejected ones are asked too; 0 for never. */
  readonly panicPercent: number
  /** In which an endpoint that was ejected comes back to its full share; 0 for at once. */
  readonly slowStart: Millis
}

export interface Faults {
  /** Percent of requests, 0 to 100. */
  readonly delay: { readonly duration: Millis; readonly percent: number } | undefined
  readonly abort: { readonly status: number; readonly percent: number } | undefined
}

/** Where copies of requests go. */
export interface Mirror {
  readonly service: string
  readonly namespace: string
  readonly port: number
  readonly percent: number
}

/** As Gateway API's HTTPRouteMatch. All that is given must match. */
export interface RouteMatch {
  readonly path: { readonly type: 'Exact' | 'PathPrefix'; readonly value: string } | undefined
  readonly method: string | undefined
  /** Names in lower case, values compared whole. */
  readonly headers: readonly { readonly name: string; readonly value: string }[]
}

/** What is demanded of the requests of one route. */
export interface RouteRules {
  readonly timeouts: RequestTimeouts
  readonly retries: Retries
  readonly faults: Faults | undefined
  readonly mirror: Mirror | undefined
}

export interface PolicyRoute {
  readonly name: string
  /** Any of them will do. */
  readonly matches: readonly RouteMatch[]
  readonly rules: RouteRules
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
  /** Requests under way at most; and of them such as are being sent again. */
  readonly maxRequests: number | undefined
  readonly maxRetries: number | undefined
  /** For requests that none of `routes` matches. */
  readonly rules: RouteRules
  /** The first that matches is taken. */
  readonly routes: readonly PolicyRoute[]
  readonly retryBudget: RetryBudget
  /** Undefined where no endpoint is ever ejected. */
  readonly outlier: Outlier | undefined
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
export const DEFAULT_RULES: RouteRules = {
  timeouts: { request: 0, perTry: 0, responseHeaders: 0, streamIdle: 0 },
  retries: {
    attempts: 2,
    on: ['connect-failure', 'reset', 'refused-stream'],
    methods: ['GET', 'HEAD', 'OPTIONS', 'TRACE'],
    backoff: { base: 25, max: 250 },
    retryAfter: 1000,
    hedgeAfter: 0,
  },
  faults: undefined,
  mirror: undefined,
}
export const DEFAULT_RETRY_BUDGET: RetryBudget = { percent: 20, minPerSecond: 10, window: 10_000 }
/** Where a policy has `outlier`, for what it does not say. */
export const DEFAULT_OUTLIER: Outlier = {
  consecutiveFailures: 5,
  minSuccessRate: 0,
  slowerThanPeers: 0,
  minRequests: 20,
  window: 10_000,
  ejection: { base: 1000, max: 60_000 },
  maxEjectedPercent: 50,
  panicPercent: 50,
  slowStart: 10_000,
}
