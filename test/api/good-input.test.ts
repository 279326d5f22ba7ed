// Manifests that must be accepted: as people write them, and as `kubectl get -o yaml` prints them.

import t from 'tap'
import { ALGORITHMS, DEFAULT_RETRY_BUDGET, DEFAULT_RULES } from '../../src/api/resources.ts'
import { read } from './manifests.ts'

const KUBECTL = `
apiVersion: v1
items:
- apiVersion: v1
  kind: Service
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","kind":"Service","metadata":{"name":"reviews"},"spec":{"ports":[{"port":9080}]}}
    creationTimestamp: "2026-01-05T10:00:00Z"
    labels: { app: reviews, service.kubernetes.io/headless: "" }
    managedFields:
    - apiVersion: v1
      fieldsType: FieldsV1
      fieldsV1: { "f:spec": { "f:ports": { ".": {}, 'k:{"port":9080,"protocol":"TCP"}': { ".": {} } } } }
      manager: kubectl-client-side-apply
      operation: Update
      time: "2026-01-05T10:00:00Z"
    name: reviews
    namespace: shop
    resourceVersion: "4711"
    uid: 0e9d4a4e-3a52-4a33-8a5f-0d8a4f0c8d55
  spec:
    allocateLoadBalancerNodePorts: true
    clusterIP: 198.18.0.10
    clusterIPs: [198.18.0.10, "FD00::10"]
    externalTrafficPolicy: Cluster
    internalTrafficPolicy: Cluster
    ipFamilies: [IPv4, IPv6]
    ipFamilyPolicy: PreferDualStack
    ports:
    - { appProtocol: http, name: http, nodePort: 30080, port: 9080, protocol: TCP, targetPort: web }
    - { name: dns, port: 53, protocol: UDP, targetPort: 53 }
    - { name: dns-tcp, port: 53, protocol: TCP, targetPort: 53 }
    publishNotReadyAddresses: false
    selector: { app: reviews }
    sessionAffinity: ClientIP
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } }
    trafficDistribution: PreferClose
    type: LoadBalancer
  status:
    loadBalancer: {}
- addressType: IPv4
  apiVersion: discovery.k8s.io/v1
  endpoints:
  - addresses: [198.18.1.1]
    conditions: { ready: true, serving: true, terminating: false }
    deprecatedTopology: { a: b }
    hints: { forZones: [{ name: a }], forNodes: [{ name: n }] }
    hostname: reviews-0
    nodeName: node-1
    targetRef: { kind: Pod, name: reviews-0, namespace: shop, uid: x }
    zone: a
  - addresses: [198.18.1.2]
    conditions: { ready: false, serving: true, terminating: true }
  - addresses: [198.18.1.3]
  kind: EndpointSlice
  metadata:
    generateName: reviews-
    generation: 3
    labels: { endpointslice.kubernetes.io/managed-by: x, kubernetes.io/service-name: reviews }
    name: reviews-abc.12
    namespace: shop
    ownerReferences:
    - { apiVersion: v1, blockOwnerDeletion: true, controller: true, kind: Service, name: reviews, uid: x }
  ports:
  - { appProtocol: http, name: http, port: 8080, protocol: TCP }
  - { name: dns, port: 53, protocol: UDP }
- { apiVersion: v1, kind: ServiceAccount, metadata: { name: reviews, namespace: shop },
    automountServiceAccountToken: false, imagePullSecrets: [{ name: x }], secrets: [{ name: y }] }
kind: List
metadata: { resourceVersion: "" }
`

t.test('manifests: what kubectl prints', async (t) => {
  const { resources, problems, warnings } = read(KUBECTL)
  t.same(problems, [])
  t.same(warnings, [])
  const origin = { file: 'f.yaml', document: 1 }
  t.strictSame(resources, {
    services: [
      {
        kind: 'Service',
        name: 'reviews',
        namespace: 'shop',
        origin,
        clusterIPs: ['198.18.0.10', 'fd00::10'],
        ports: [
          { name: 'http', port: 9080, appProtocol: 'http' },
          { name: 'dns-tcp', port: 53, appProtocol: '' },
        ],
        clientIpAffinity: true,
      },
    ],
    endpointSlices: [
      {
        kind: 'EndpointSlice',
        name: 'reviews-abc.12',
        namespace: 'shop',
        origin,
        service: 'reviews',
        ports: [{ name: 'http', port: 8080 }],
        endpoints: [
          { addresses: ['198.18.1.1'], ready: true },
          { addresses: ['198.18.1.2'], ready: false },
          { addresses: ['198.18.1.3'], ready: true },
        ],
        weight: 1,
      },
    ],
    trafficPolicies: [],
    serviceAccounts: [{ kind: 'ServiceAccount', name: 'reviews', namespace: 'shop', origin }],
  })
})

t.test('manifests: a whole TrafficPolicy, and a bare one', async (t) => {
  const { resources, problems, warnings } = read(`
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { clusterIP: 198.18.0.1, ports: [{ name: http, port: 80 }] }
---
apiVersion: underpass.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: port }
spec:
  targetRef: { group: "", kind: Service, name: reviews, sectionName: http }
  mode: l4
  directToEndpoint: balance
  loadBalancer: { algorithm: roundRobin, sessionAffinity: { sourceIP: {} } }
  timeouts: { connect: 250ms, idle: 0s }
  circuitBreaker: { maxConnections: 7, maxPendingRequests: 3 }
---
apiVersion: underpass.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: all }
spec: { targetRef: { kind: Service, name: reviews } }
`)
  t.same([problems, warnings], [[], []])
  const common = {
    ...{ kind: 'TrafficPolicy', namespace: 'default', service: 'reviews' },
    ...{ maxRequests: undefined, maxRetries: undefined, outlier: undefined },
    ...{ rules: DEFAULT_RULES, routes: [], retryBudget: DEFAULT_RETRY_BUDGET },
  }
  t.strictSame(resources.trafficPolicies, [
    {
      ...common,
      name: 'port',
      origin: { file: 'f.yaml', document: 2 },
      section: 'http',
      mode: 'l4',
      directToEndpoint: 'balance',
      loadBalancer: { algorithm: 'roundRobin', affinity: { kind: 'sourceIp' } },
      timeouts: { connect: 250, idle: 0 },
      maxConnections: 7,
      maxPendingRequests: 3,
    },
    {
      ...common,
      name: 'all',
      origin: { file: 'f.yaml', document: 3 },
      section: undefined,
      mode: undefined,
      directToEndpoint: 'endpoint',
      loadBalancer: { algorithm: 'leastRequest', affinity: { kind: 'none' } },
      timeouts: { connect: 1000, idle: 3_600_000 },
      maxConnections: undefined,
      maxPendingRequests: undefined,
    },
  ])
})

t.test('manifests: algorithms, affinities and modes of a TrafficPolicy', async (t) => {
  const balancerOf = (spec: string): unknown => {
    const { resources, problems } = read(`
apiVersion: underpass.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: p }
spec: { targetRef: { kind: Service, name: s }, ${spec} }
`)
    t.same(problems, [], spec)
    const [policy] = resources.trafficPolicies
    return [policy?.mode, policy?.loadBalancer]
  }
  for (const algorithm of ALGORITHMS) {
    for (const mode of ['l4', 'l7']) {
      const found = balancerOf(`mode: ${mode}, loadBalancer: { algorithm: ${algorithm} }`)
      t.same(found, [mode, { algorithm, affinity: { kind: 'none' } }])
    }
  }
  const affinities: readonly (readonly [text: string, affinity: object])[] = [
    ['{ sourceIP: {} }', { kind: 'sourceIp' }],
    ['{ header: X-User }', { kind: 'header', name: 'x-user' }],
    ['{ header: Host }', { kind: 'header', name: 'host' }],
    ['{ cookie: { name: Sid, ttl: 1h } }', { kind: 'cookie', name: 'Sid', ttl: 3_600_000 }],
    ['{ cookie: { name: sid, ttl: 0s } }', { kind: 'cookie', name: 'sid', ttl: 0 }],
    ['{ cookie: { name: sid } }', { kind: 'cookie', name: 'sid', ttl: 0 }],
    ['{ cookie: { name: sid, ttl: 9600h } }', { kind: 'cookie', name: 'sid', ttl: 34_560_000_000 }],
  ]
  for (const [text, affinity] of affinities) {
    for (const mode of ['', 'mode: l7, ']) {
      const [, found] = balancerOf(`${mode}loadBalancer: { sessionAffinity: ${text} }`) as unknown[]
      t.strictSame(found, { algorithm: 'leastRequest', affinity })
    }
  }
})

t.test('manifests: headless Services, and those without a virtual address', async (t) => {
  for (const spec of [
    '{ clusterIP: None, ports: [{ port: 80 }] }',
    '{ clusterIP: None, clusterIPs: [None], ports: [{ port: 80 }] }',
    '{ clusterIP: "", ports: [{ port: 80 }] }',
    '{ ports: [{ port: 80, name: null }], clusterIP: }',
    '{ type: ExternalName, externalName: example.test, ports: [{ port: 80 }] }',
  ]) {
    const { resources, problems } = read(
      `{ apiVersion: v1, kind: Service, metadata: { name: s }, spec: ${spec} }`,
    )
    t.same(problems, [], spec)
    t.same(resources.services[0]?.clusterIPs, [])
    t.same(resources.services[0]?.ports, [{ name: '', port: 80, appProtocol: '' }])
  }
})

t.test(
  'manifests: an EndpointSlice with everything that is ours, and one that kubectl leaves empty',
  async (t) => {
    const { resources, problems } = read(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: a
  labels: { kubernetes.io/service-name: s }
  annotations:
    underpass.dev/weight: "1000"
    underpass.dev/mesh-port: "15008"
    underpass.dev/identity: spiffe://cluster.local/ns/shop/sa/reviews
addressType: IPv6
endpoints: [{ addresses: ["FD00:0:0::1"], conditions: {} }]
ports: [{ port: 80, protocol: TCP }, { name: x, port: 81, protocol: SCTP }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: b, labels: { kubernetes.io/service-name: s } }
addressType: IPv4
endpoints: null
ports: null
`)
    t.same(problems, [])
    t.match(resources.endpointSlices, [
      {
        weight: 1000,
        endpoints: [{ addresses: ['fd00::1'], ready: true }],
        ports: [{ name: '', port: 80 }],
      },
      { weight: 1, endpoints: [], ports: [] },
    ])
  },
)

t.test('manifests: JSON', async (t) => {
  const text = JSON.stringify(
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } },
    null,
    2,
  )
  t.same(read({ 's.json': text }).problems, [])
})
