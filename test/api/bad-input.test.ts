// Every kind of bad manifest: the exact path of each problem, and that nothing else is said.

import t from 'tap'
import { type Case, check, policy, read } from './manifests.ts'

const service = (spec: string, metadata = 'name: s'): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { ${metadata} }\nspec: ${spec}\n`
const slice = (rest: string, metadata = ''): string =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n` +
  `metadata: { name: s-1, labels: { kubernetes.io/service-name: s }${metadata} }\n${rest}\n`
const v4 = (endpoints: string, ports = '[{ port: 80 }]'): string =>
  slice(`addressType: IPv4\nports: ${ports}\nendpoints: ${endpoints}`)
const annotated = (annotation: string): string =>
  slice('addressType: IPv4', `, annotations: { ${annotation} }`)

t.test('manifests: what is no resource', async (t) => {
  const known = 'known here: v1 Service, v1 ServiceAccount, discovery.k8s.io/v1 EndpointSlice, '
  check(t, [
    ['3', ['', 'must be a mapping, but found 3']],
    ['[]', ['', 'must be a mapping, but found []']],
    ['a: 1', ['apiVersion', 'is required'], ['kind', 'is required']],
    ['{ apiVersion: v1 }', ['kind', 'is required']],
    ['{ apiVersion: 1, kind: Service }', ['apiVersion', 'must be text, but found 1']],
    ['{ apiVersion: v1, kind: Servise }', ['kind', known]],
    ['{ apiVersion: v2, kind: Service }', ['apiVersion', 'known here: v1 Service, but found "v2"']],
    ['{ apiVersion: v1, kind: List, items: 3 }', ['items', 'must be a list']],
    [
      '{ apiVersion: v1, kind: List, items: [3, { apiVersion: v1, kind: List }] }',
      ['items[0]', 'must be a mapping'],
      ['items[1].kind', 'is not known'],
    ],
  ])
})

t.test('manifests: metadata', async (t) => {
  const label = 'must be a name of 1 to 63 lower-case letters'
  check(t, [
    [
      '{ apiVersion: v1, kind: Service }',
      ['metadata', 'is required'],
      ['metadata.name', 'is required'],
    ],
    [service('{}', 'name: S'), ['metadata.name', label]],
    [service('{}', 'name: a.b'), ['metadata.name', label]],
    [service('{}', `name: ${'a'.repeat(64)}`), ['metadata.name', label]],
    [service('{}', 'name: 1'), ['metadata.name', label]],
    [service('{}', 'name: s, namespace: -x'), ['metadata.namespace', label]],
    [service('{}', 'name: s, nmespace: x'), ['metadata.nmespace', 'is not a known key']],
    [service('{}', 'name: s, labels: []'), ['metadata.labels', 'must be a mapping']],
    [service('{}', 'name: s, labels: { a.b/c: 1 }'), ['metadata.labels["a.b/c"]', 'must be text']],
    [
      service('{}', 'name: s, annotations: { underpass.dev/weight: "1" }'),
      ['metadata.annotations["underpass.dev/weight"]', 'this kind has none'],
    ],
    [service('{}', 'name: s, __proto__: {}'), ['metadata.__proto__', 'is not a known key']],
    [
      '{ apiVersion: v1, kind: ServiceAccount, metadata: { name: A }, secret: 1 }',
      ['secret', 'is not a known key'],
      ['metadata.name', 'must be a name of lower-case letters'],
    ],
  ])
})

t.test('manifests: Services', async (t) => {
  const port = 'must be a whole number from 1 to 65535'
  const ports = (list: string): string => service(`{ ports: ${list} }`)
  check(t, [
    [service('{ prots: [] }'), ['spec.prots', 'is not a known key']],
    [service('[]'), ['spec', 'must be a mapping']],
    [ports('{}'), ['spec.ports', 'must be a list']],
    [ports('[80]'), ['spec.ports[0]', 'must be a mapping'], ['spec.ports[0].port', port]],
    [
      ports('[{ prot: 80 }]'),
      ['spec.ports[0].prot', 'is not a known'],
      ['spec.ports[0].port', port],
    ],
    [ports('[{ port: 0 }]'), ['spec.ports[0].port', `${port}, but found 0`]],
    [ports('[{ port: 65536 }]'), ['spec.ports[0].port', port]],
    [ports('[{ port: "80" }]'), ['spec.ports[0].port', `${port}, but found "80"`]],
    [ports('[{ port: 80.5 }]'), ['spec.ports[0].port', port]],
    [ports('[{ port: 80, protocol: tcp }]'), ['spec.ports[0].protocol', 'TCP, UDP, SCTP']],
    [ports('[{ port: 80, name: A }]'), ['spec.ports[0].name', 'must be a name']],
    [ports('[{ port: 80, targetPort: 70000 }]'), ['spec.ports[0].targetPort', 'whole number']],
    [ports('[{ port: 80, nodePort: x }]'), ['spec.ports[0].nodePort', 'whole number']],
    [ports('[{ port: 80, appProtocol: 1 }]'), ['spec.ports[0].appProtocol', 'must be text']],
    [ports('[{ port: 80, name: a }, { port: 81 }]'), ['spec.ports[1].name', 'several ports']],
    [
      ports('[{ port: 80, name: a }, { port: 81, name: a }]'),
      ['spec.ports[1].name', 'another port'],
    ],
    [
      ports('[{ port: 80, name: a }, { port: 80, name: b }]'),
      ['spec.ports[1].port', 'another port'],
    ],
    [service('{ clusterIP: 198.18.0 }'), ['spec.clusterIP', 'must be an IPv4 or IPv6 address']],
    [service('{ clusterIP: 0.0.0.0 }'), ['spec.clusterIP', 'the address of one host']],
    [service('{ clusterIP: 224.0.0.1 }'), ['spec.clusterIP', 'the address of one host']],
    [service('{ clusterIPs: [198.18.0.1, 198.18.0.2] }'), ['spec.clusterIPs', 'one IPv4 and one']],
    [service('{ clusterIPs: [None, fd00::1] }'), ['spec.clusterIPs', 'addresses or only None']],
    [
      service('{ clusterIP: 198.18.0.1, clusterIPs: [198.18.0.2] }'),
      ['spec.clusterIPs[0]', 'must be the same as clusterIP'],
    ],
  ])
})

t.test('manifests: EndpointSlices', async (t) => {
  const endpoint = 'endpoints[0].addresses[0]'
  check(t, [
    [slice('endpoints: []'), ['addressType', 'is required: one of IPv4, IPv6']],
    [slice('addressType: FQDN'), ['addressType', 'names are not resolved']],
    [slice('addressType: ipv4'), ['addressType', 'must be one of IPv4, IPv6, but found "ipv4"']],
    [slice('addressType: IPv4\nspec: {}'), ['spec', 'is not a known key']],
    [
      slice('addressType: IPv4').replace('kubernetes.io/service-name', 'service'),
      ['metadata.labels["kubernetes.io/service-name"]', 'is required'],
    ],
    [
      slice('addressType: IPv4').replace('name: s }', 'name: S }'),
      ['metadata.labels["kubernetes.io/service-name"]', 'must be a name'],
    ],
    [v4('[{ addresses: [fd00::1] }]'), [endpoint, 'must be an IPv4 address, as addressType says']],
    [v4('[{ addresses: [host] }]'), [endpoint, 'must be an IPv4 or IPv6 address']],
    [v4('[{ addresses: [0.0.0.0] }]'), [endpoint, 'the address of one host']],
    [v4('[{ addresses: [] }]'), ['endpoints[0].addresses', 'at least one']],
    [v4('[{}]'), ['endpoints[0].addresses', 'at least one']],
    [v4('[null]'), ['endpoints[0]', 'is required'], ['endpoints[0].addresses', 'at least one']],
    [
      v4('[{ addresses: [198.18.0.1], condition: {} }]'),
      ['endpoints[0].condition', 'is not a known key'],
    ],
    [
      v4('[{ addresses: [198.18.0.1], conditions: { ready: "yes", redy: true } }]'),
      ['endpoints[0].conditions.redy', 'is not a known key'],
      ['endpoints[0].conditions.ready', 'must be true or false'],
    ],
    [v4('[]', '[{ name: a }]'), ['ports[0].port', 'must be a whole number']],
    [v4('[]', '[{ port: 1, prt: 2 }]'), ['ports[0].prt', 'is not a known key']],
    [v4('[]', '[{ port: 1 }, { port: 2 }]'), ['ports[1].name', 'is the name of another port too']],
  ])
})

t.test('manifests: annotations of EndpointSlices', async (t) => {
  const at = (name: string): string => `metadata.annotations["underpass.dev/${name}"]`
  const weights = ['"0"', '"1001"', '"1.5"', '"-1"', '"ten"', '""', '" 1"', '"1e2"']
  check(t, [
    ...weights.map(
      (weight): Case => [
        annotated(`underpass.dev/weight: ${weight}`),
        [at('weight'), 'must be a whole number from 1 to 1000'],
      ],
    ),
    [annotated('underpass.dev/weight: 10'), [at('weight'), 'must be text']],
    [annotated('underpass.dev/wieght: "1"'), [at('wieght'), 'is not a known annotation']],
    [annotated('underpass.dev/mesh-port: "65536"'), [at('mesh-port'), 'from 1 to 65535']],
    [annotated('underpass.dev/identity: a'), [at('identity'), 'must be spiffe://']],
    [
      annotated('underpass.dev/identity: "spiffe://td/ns/A/sa/b"'),
      [at('identity'), 'must be spiffe://'],
    ],
  ])
})

t.test('manifests: TrafficPolicies', async (t) => {
  const duration = 'must be a duration like'
  check(t, [
    [
      policy('', '{}'),
      ['spec.targetRef.kind', 'is required'],
      ['spec.targetRef.name', 'is required'],
    ],
    [policy('', '{ kind: Pod, name: s }'), ['spec.targetRef.kind', 'must be one of Service']],
    [
      policy('', '{ kind: Service, name: s, port: 1 }'),
      ['spec.targetRef.port', 'is not a known key'],
    ],
    [
      policy('', '{ group: apps, kind: Service, name: s }'),
      ['spec.targetRef.group', 'must be empty'],
    ],
    [
      policy('', '{ kind: Service, name: s, sectionName: "" }'),
      ['spec.targetRef.sectionName', 'must be a name'],
    ],
    [
      '{ apiVersion: underpass.dev/v1alpha1, kind: TrafficPolicy, metadata: { name: p } }',
      ['spec', 'is required'],
      ['spec.targetRef', 'is required'],
    ],
    [policy('mod: l4'), ['spec.mod', 'is not a known key']],
    [policy('mode: l3'), ['spec.mode', 'must be one of l4, l7']],
    [policy('directToEndpoint: yes'), ['spec.directToEndpoint', 'endpoint, balance']],
    [
      policy('loadBalancer: { algorithm: fastest }'),
      [
        'spec.loadBalancer.algorithm',
        'must be one of roundRobin, leastRequest, peakEwma, random, ringHash, maglev, but found',
      ],
    ],
    [
      policy('loadBalancer: { sessionAffinity: {} }'),
      ['spec.loadBalancer.sessionAffinity', 'one of'],
    ],
    [
      policy('loadBalancer: { sessionAffinity: { sourceIP: { ttl: 1h } } }'),
      ['spec.loadBalancer.sessionAffinity.sourceIP.ttl', 'is not a known key'],
    ],
    [policy('timeouts: { connect: 1 }'), ['spec.timeouts.connect', duration]],
    [policy('timeouts: { connect: 0s }'), ['spec.timeouts.connect', duration]],
    [policy('timeouts: { idle: 5 minutes }'), ['spec.timeouts.idle', duration]],
    [policy('timeouts: { idle: 99999h }'), ['spec.timeouts.idle', 'at most']],
    [policy('timeouts: { read: 1s }'), ['spec.timeouts.read', 'is not a known key']],
    [
      policy('circuitBreaker: { maxConnections: 0 }'),
      ['spec.circuitBreaker.maxConnections', 'must be a whole number from 1'],
    ],
  ])
})

t.test('manifests: session affinity', async (t) => {
  const path = 'spec.loadBalancer.sessionAffinity'
  const sticky = (affinity: string, rest = 'directToEndpoint: endpoint'): string =>
    policy(`loadBalancer: { sessionAffinity: ${affinity} }, ${rest}`)
  const token = 'must be a token, without spaces and separators'
  const useless = ['Connection', 'content-length', 'TRANSFER-ENCODING', 'te', 'Upgrade', 'Trailer']
  const needs = 'needs requests, which mode l4 does not look at'
  check(t, [
    [sticky('3'), [path, 'must be a mapping'], [path, 'must be one of cookie, header, sourceIP']],
    [sticky('{ ip: {} }'), [`${path}.ip`, 'is not a known key']],
    [
      sticky('{ header: a, sourceIP: {} }'),
      [path, 'must be one of cookie, header, sourceIP, but found {"header":"a","sourceIP":{}}'],
    ],
    [sticky('{ header: "" }'), [`${path}.header`, 'must be text that is not empty']],
    [sticky('{ header: 3 }'), [`${path}.header`, 'must be text']],
    [sticky('{ header: { name: a } }'), [`${path}.header`, 'must be text']],
    [sticky('{ header: "x user" }'), [`${path}.header`, `${token}, but found "x user"`]],
    [sticky('{ header: ":path" }'), [`${path}.header`, token]],
    ...useless.map(
      (name): Case => [
        sticky(`{ header: ${name} }`),
        [
          `${path}.header`,
          `must be a header that says something of the client, but found "${name}"`,
        ],
      ],
    ),
    [
      sticky('{ cookie: sid }'),
      [`${path}.cookie`, 'must be a mapping'],
      [`${path}.cookie.name`, 'is required'],
    ],
    [sticky('{ cookie: {} }'), [`${path}.cookie.name`, 'is required']],
    [
      sticky('{ cookie: { name: "a;b", tl: 1h, ttl: 5 } }'),
      [`${path}.cookie.tl`, 'is not a known key'],
      [`${path}.cookie.name`, token],
      [`${path}.cookie.ttl`, 'must be a duration'],
    ],
    [sticky('{ cookie: { name: a=b } }'), [`${path}.cookie.name`, token]],
    [sticky('{ cookie: { name: a, ttl: 9601h } }'), [`${path}.cookie.ttl`, 'at most 9600h']],
    [
      sticky('{ cookie: { name: __Host-a } }'),
      [`${path}.cookie.name`, 'must not begin with __Host-'],
    ],
    [sticky('{ cookie: { name: __secure-a } }'), [`${path}.cookie.name`, 'or __Secure-']],
    [sticky('{ header: x-user }', 'mode: l4'), [`${path}.header`, needs]],
    [sticky('{ cookie: { name: sid } }', 'mode: l4'), [`${path}.cookie`, needs]],
  ])
})

t.test('manifests: the file, the document and the line', async (t) => {
  const text = `${service('{}')}---\n${service('{ prot: 1 }', 'name: b')}---\na: 1\na: 2\n`
  t.same(
    read({ 'mesh/shop.yaml': text }).problems.map((line) => line.slice(0, line.indexOf(': '))),
    ['mesh/shop.yaml#2 spec.prot', 'mesh/shop.yaml#3 line 12, column 1'],
  )
})
