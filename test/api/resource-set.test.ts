import t from 'tap'
import { read } from './manifests.ts'

const service = (name: string, spec = '{}'): string =>
  `{ apiVersion: v1, kind: Service, metadata: ${name}, spec: ${spec} }\n---\n`
const policy = (name: string, target: string): string =>
  `{ apiVersion: underpass.dev/v1alpha1, kind: TrafficPolicy, metadata: { name: ${name} }, ` +
  `spec: { targetRef: ${target} } }\n---\n`
const target = (name: string, section = ''): string =>
  `{ kind: Service, name: ${name}${section === '' ? '' : `, sectionName: ${section}`} }`

t.test('resources: two of one kind, namespace and name', async (t) => {
  const { problems } = read({
    'a.yaml': service('{ name: s }') + service('{ name: s, namespace: other }'),
    'b.yaml': service('{ name: t }') + service('{ name: s, namespace: default }'),
    'c.yaml': '{ apiVersion: v1, kind: ServiceAccount, metadata: { name: s } }',
  })
  t.same(problems, ['b.yaml#2 metadata.name: Service default/s is in a.yaml#1 too'])
})

t.test(
  'resources: two Services with one address, however written and whatever the ports',
  async (t) => {
    const { problems } = read({
      'a.yaml': service('{ name: a }', '{ clusterIP: "fd00::1", ports: [{ port: 80 }] }'),
      'b.yaml': service('{ name: b }', '{ clusterIP: "FD00:0::1", ports: [{ port: 81 }] }'),
      'c.yaml':
        service('{ name: c }', '{ clusterIP: None }') +
        service('{ name: d }', '{ clusterIP: None }'),
    })
    t.same(problems, [
      'b.yaml#1 spec.clusterIP: fd00::1 of Service default/b is the address of ' +
        'Service default/a, in a.yaml#1, too',
    ])
  },
)

t.test('resources: a duplicate is told once, not for its address and target as well', async (t) => {
  const twice = service('{ name: a }', '{ clusterIP: 198.18.0.1 }') + policy('p', target('a'))
  t.same(
    read(twice + twice).problems.map((line) => line.slice(0, line.indexOf(':'))),
    ['f.yaml#3 metadata.name', 'f.yaml#4 metadata.name'],
  )
})

t.test('resources: two policies for one Service and section', async (t) => {
  const ports = '{ ports: [{ name: http, port: 80 }, { name: admin, port: 81 }] }'
  const { problems } = read({
    'a.yaml': service('{ name: s }', ports),
    'b.yaml': policy('one', target('s', 'http')) + policy('two', target('s')),
    'c.yaml': policy('three', target('s', 'admin')) + policy('four', target('s', 'http')),
    'd.yaml': policy('five', target('s')),
  })
  t.same(problems, [
    'c.yaml#2 spec.targetRef: Service default/s, port http, of default/four is the target of ' +
      'TrafficPolicy default/one, in b.yaml#1, too',
    'd.yaml#1 spec.targetRef: Service default/s of default/five is the target of ' +
      'TrafficPolicy default/two, in b.yaml#2, too',
  ])
})

t.test('resources: a section that the Service does not have', async (t) => {
  const ports = '{ ports: [{ name: http, port: 80 }, { name: dns, port: 53, protocol: UDP }] }'
  const { problems } = read({
    'a.yaml': service('{ name: s }', ports),
    'b.yaml': policy('p', target('s', 'htp')) + policy('q', target('s', 'dns')),
  })
  t.same(problems, [
    'b.yaml#1 spec.targetRef.sectionName: Service default/s, in a.yaml#1, has no TCP port named htp',
    'b.yaml#2 spec.targetRef.sectionName: Service default/s, in a.yaml#1, has no TCP port named dns',
  ])
})

t.test(
  'resources: nothing is said of the ports of a Service that was itself refused',
  async (t) => {
    const { problems } = read(
      service('{ name: s }', '{ ports: [{ name: http, prot: 80 }] }') +
        policy('p', target('s', 'http')),
    )
    t.equal(problems.length, 2)
    t.notMatch(problems.join(), 'targetRef')
  },
)

t.test('resources: a policy without its Service is a warning', async (t) => {
  const { problems, warnings } = read(
    service('{ name: s, namespace: other }') + policy('p', target('s', 'http')),
  )
  t.same(problems, [])
  t.same(warnings, [
    'f.yaml#2 spec.targetRef.name: there is no Service default/s, so TrafficPolicy default/p has no effect',
  ])
})

t.test('resources: a slice whose ports match none of its Service is a warning', async (t) => {
  const slice = (name: string, port: string): string =>
    `{ apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, ports: [${port}],\n` +
    `  metadata: { name: ${name}, labels: { kubernetes.io/service-name: s } } }\n---\n`
  const { problems, warnings } = read(
    service('{ name: s }', '{ ports: [{ name: http, port: 80 }] }') +
      slice('a', '{ name: http, port: 1 }') +
      slice('b', '{ name: htp, port: 1 }') +
      slice('c', '{ port: 1 }'),
  )
  t.same(problems, [])
  t.same(warnings, [
    'f.yaml#3 ports[0].name: Service default/s, in f.yaml#1, has no TCP port named htp, so no traffic goes there',
    'f.yaml#4 ports[0].name: Service default/s, in f.yaml#1, has no TCP port without a name, so no traffic goes there',
  ])
  t.same(read(slice('a', '{ port: 1 }')).warnings, [], 'no Service, no warning')
})
