import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { renderManifest } from '../../demo/manifests.ts'

t.test('manifests: Service, EndpointSlice and TrafficPolicy of one service', async (t) => {
  const text = renderManifest({
    name: 'ratings',
    clusterIP: 'fd00:1::2',
    port: 9080,
    algorithm: 'roundRobin',
    instances: [
      { ip: 'fd00::7', ready: true },
      { ip: 'fd00::8', ready: false },
    ],
  })
  const documents = parseAllDocuments(text).map((document) => document.toJS() as unknown)
  t.match(documents, [
    { kind: 'Service', spec: { clusterIP: 'fd00:1::2', ports: [{ port: 9080 }] } },
    {
      kind: 'EndpointSlice',
      metadata: { labels: { 'kubernetes.io/service-name': 'ratings' } },
      addressType: 'IPv6',
      endpoints: [
        { addresses: ['fd00::7'], conditions: { ready: true } },
        { addresses: ['fd00::8'], conditions: { ready: false } },
      ],
    },
    { kind: 'TrafficPolicy', spec: { loadBalancer: { algorithm: 'roundRobin' } } },
  ])
})

t.test('manifests: a cookie is part of the policy only where there is one', async (t) => {
  const service = {
    ...{ name: 'reviews', clusterIP: '198.18.100.1', port: 9080 },
    ...({ algorithm: 'roundRobin', instances: [] } as const),
  }
  const policyOf = (text: string): unknown => parseAllDocuments(text)[2]?.toJS()
  t.match(policyOf(renderManifest({ ...service, cookie: 'shop' })), {
    spec: { loadBalancer: { sessionAffinity: { cookie: { name: 'shop', ttl: '0s' } } } },
  })
  t.notMatch(renderManifest(service), /sessionAffinity|shop/)
})

t.test('manifests: a second port, of which nothing is said', async (t) => {
  const text = renderManifest({
    ...{ name: 'reviews', clusterIP: '198.18.100.1', port: 9080, http2Port: 9081 },
    ...{ algorithm: 'roundRobin', instances: [] },
  })
  t.equal(text.match(/- \{ name: web, port: 9080, protocol: TCP \}/g)?.length, 2)
  t.equal(text.match(/- \{ name: http2, port: 9081, protocol: TCP \}/g)?.length, 2)
  t.notMatch(text, /appProtocol/)
})
