// A whole sidecar: that its parts are put together so that deadlines pass through it and admission is counted.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Problems } from '../../../src/lib/problems.ts'
import { readSettings } from '../../../src/proxy/config.ts'
import { Sidecar } from '../../../src/proxy/sidecar.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { answering, RawClient } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'
import { backend, get } from '../l7/fixture.ts'

const manifest = (port: number): string => `
apiVersion: v1
kind: Service
metadata: { name: shop, namespace: default }
spec: { clusterIP: 198.18.100.1, ports: [{ port: 80, appProtocol: http }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: shop-1, namespace: default, labels: { kubernetes.io/service-name: shop } }
addressType: IPv4
ports: [{ port: ${port} }]
endpoints: [{ addresses: [127.0.0.1] }]
`

t.test('sidecar: deadlines pass through it, and the application has its limit', async (t) => {
  const application = await backend(
    t,
    answering(() => undefined),
  )
  const service = await backend(t, answering(ok('x')))
  const folder = mkdtempSync(join(tmpdir(), 'underpass-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const files = join(folder, 'mesh.yaml')
  writeFileSync(files, manifest(service.port))
  const text = `
admin: off
discovery: { files: ${files} }
outbound: { listeners: [{ address: 127.0.0.1:0, service: shop.default, port: 80 }] }
inbound:
  listeners: [{ address: 127.0.0.1:0, target: 127.0.0.1:${application.port} }]
  concurrency: { limit: 1, pending: 0 }
`
  const problems = new Problems()
  const settings = readSettings({ name: 'proxy.yaml', text }, {}, problems)
  t.equal(problems.toString(), '')
  const { log, lines } = logLines()
  const clock = new FakeClock()
  const sidecar = new Sidecar(
    settings,
    clock,
    () => 0,
    log,
    () => undefined,
  )
  await sidecar.start()
  t.teardown(async () => {
    sidecar.abort()
    await sidecar.stop()
  })
  const connect = async (direction: string): Promise<RawClient> => {
    const found = lines.find(
      ({ event, key }) => event === 'listening' && String(key).startsWith(direction),
    )
    const client = await RawClient.connect(Number(String(found?.['address']).split(':')[1]))
    t.teardown(() => client.socket.destroy())
    return client
  }
  const [client, other] = [await connect('inbound'), await connect('inbound')]
  const caller = await connect('outbound')
  const id = 'x-request-id: 7\r\n'
  await client.send(get('/', `${id}x-envoy-expected-rq-timeout-ms: 800\r\n`))
  await until('it was sent', () => application.requests.length === 1)
  await other.send(get())
  await other.until((all) => messages(all).length === 1)
  t.match(other.text, /^HTTP\/1\.1 503 .*details="overloaded: 1 at work, 0 wait"/s)
  clock.advance(300)
  await caller.send(get('/', id))
  await caller.until((all) => messages(all).length === 1)
  t.match(service.requests[0], '\r\nx-envoy-expected-rq-timeout-ms: 500\r\n')
  clock.advance(520)
  await client.until((all) => messages(all).length === 1)
  const { body } = await sidecar.metrics()
  const target = `service="local",endpoint="127.0.0.1:${application.port}"`
  for (const line of [
    `underpass_admission_limit{${target}} 1`,
    `underpass_admission_active_requests{${target}} 0`,
    'underpass_http_requests_shed_total{direction="inbound",service="local",reason="overloaded"} 1',
    'underpass_http_deadlines_exceeded_total{direction="inbound",service="local",source="x-envoy-expected-rq-timeout-ms"} 1',
  ]) {
    t.ok(body.includes(`\n${line}\n`), line)
  }
})
