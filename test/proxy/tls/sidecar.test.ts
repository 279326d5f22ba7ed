// A whole sidecar whose explicit listeners end TLS: requests pass, certificates are renewed, bad ones refused.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { get, type RequestOptions } from 'node:https'
import { text } from 'node:stream/consumers'
import { connect, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { MeshError } from '../../../src/lib/errors.ts'
import { LOOK_EVERY } from '../../../src/proxy/tls/certificate-files.ts'
import { makeCertificate, testFolder } from '../../support/certificates.ts'
import { answering, RawClient } from '../../support/http-peer.ts'
import { ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend } from '../l7/fixture.ts'
import { makeSidecar } from './fixture.ts'

const run = promisify(execFile)

async function shake(t: Test, port: number, ca: string): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ca, ALPNProtocols: ['http/1.1'] })
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

for (const sockets of ['auto', 'streams']) {
  t.test(`tls over ${sockets}: requests of clients that speak HTTP/1.1`, async (t) => {
    const application = await backend(t, answering(ok('x'.repeat(100_000))))
    const certificate = makeCertificate(testFolder(t))
    const started = makeSidecar(t, application.port, certificate, `sockets: ${sockets}`)
    await started.sidecar.start()
    const { certificate: ca } = certificate.pem
    for (const ALPNProtocols of [['http/1.1'], []]) {
      const options: RequestOptions & { ALPNProtocols: string[] } = {
        port: started.port(),
        host: '127.0.0.1',
        ca,
        ALPNProtocols,
        agent: false,
      }
      const request = get(options)
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      t.equal(response.statusCode, 200)
      t.equal((await text(response)).length, 100_000)
    }
    const curl = ['--silent', '--http1.1', '--cacert', certificate.certificate]
    const url = `https://127.0.0.1:${started.port()}/`
    const { stdout } = await run('curl', [...curl, '--write-out', '%{http_version}', url])
    t.equal(stdout, `${'x'.repeat(100_000)}1.1`)
    const { body } = await started.sidecar.metrics()
    t.match(body, /underpass_http_requests_total\{.*status="200"\} 3/)
  })
}

t.test('tls: bytes that are not HTTP pass as they are', async (t) => {
  const application = await backend(
    t,
    answering(() => undefined),
  )
  const certificate = makeCertificate(testFolder(t))
  const started = makeSidecar(t, application.port, certificate)
  await started.sidecar.start()
  const socket = await shake(t, started.port(), certificate.pem.certificate)
  socket.write('\x00\x01 hello')
  await until('they are there', () => application.received.endsWith('hello'))
  const { lines } = started
  const line = lines.find(({ event }) => event === 'certificate')
  t.match(line, { level: 'info', key: 'inbound.listeners[0]' })
})

t.test('tls: a new certificate is taken, a bad one refused', async (t) => {
  const application = await backend(t, answering(ok('x')))
  const folder = testFolder(t)
  const [certificate, next] = [makeCertificate(folder), makeCertificate(folder, 'next')]
  const { sidecar, clock, lines, port } = makeSidecar(t, application.port, certificate)
  await sidecar.start()
  const told = async (event: string, count: number): Promise<void> => {
    const found = (): number => lines.filter((line) => line['event'] === event).length
    await until(`${event} is logged`, () => {
      if (found() < count) clock.advance(LOOK_EVERY)
      return found() === count
    })
  }
  writeFileSync(certificate.key, 'nothing')
  await told('certificate-refused', 1)
  const before = await shake(t, port(), certificate.pem.certificate)
  t.equal(before.getPeerCertificate().subject.CN, 'server', 'the last good one stays')
  writeFileSync(certificate.certificate, next.pem.certificate)
  writeFileSync(certificate.key, next.pem.key)
  await told('certificate', 2)
  const after = await shake(t, port(), next.pem.certificate)
  t.equal(after.getPeerCertificate().subject.CN, 'next')
})

t.test('tls: bad certificates keep it from starting, all problems at once', async (t) => {
  const folder = testFolder(t)
  const paths = { ...makeCertificate(folder), certificate: '/nowhere/a', key: '/nowhere/b' }
  const { sidecar } = makeSidecar(t, 1, paths)
  const error: unknown = await sidecar.start().catch((thrown: unknown) => thrown)
  if (!(error instanceof MeshError)) throw new Error('it started')
  t.equal(error.code, 'configuration-invalid')
  t.same(String(error.context['problems']).split('\n'), [
    'inbound.listeners[0].tls.certificate /nowhere/a: does not exist',
    'inbound.listeners[0].tls.key /nowhere/b: does not exist',
  ])
})

t.test('tls: a certificate that has expired is served, and warned of', async (t) => {
  const certificate = makeCertificate(testFolder(t))
  const { sidecar, clock, lines } = makeSidecar(t, 1, certificate)
  clock.advance(3 * 24 * 3_600_000)
  await sidecar.start()
  t.match(
    lines.find(({ event }) => event === 'certificate'),
    { level: 'warn', message: /has expired/ },
  )
})

t.test('tls: a handshake that fails is counted and said', async (t) => {
  const certificate = makeCertificate(testFolder(t))
  const { sidecar, lines, port } = makeSidecar(t, 1, certificate)
  await sidecar.start()
  const client = await RawClient.connect(port())
  t.teardown(() => client.socket.destroy())
  await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const line = await until('it is logged', () =>
    lines.find(({ error }) => error === 'handshake-failed'),
  )
  t.match(line, { level: 'info', direction: 'inbound', reason: 'ERR_SSL_HTTP_REQUEST' })
  t.match(line['client'], /^127\.0\.0\.1:\d+$/)
  const { body } = await sidecar.metrics()
  t.match(
    body,
    'underpass_tcp_connection_errors_total{direction="inbound",reason="handshake-failed"} 1',
  )
})
