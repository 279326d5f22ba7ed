// HTTP/2 that clients agree on by ALPN, at a listener of a whole sidecar.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import { makeCertificate, testFolder } from '../../support/certificates.ts'
import { answering } from '../../support/http-peer.ts'
import { ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend } from '../l7/fixture.ts'
import { makeSidecar } from './fixture.ts'

const run = promisify(execFile)
const BODY = 'x'.repeat(200_000)

for (const sockets of ['auto', 'streams']) {
  t.test(`tls over ${sockets}: requests of clients that agreed on HTTP/2`, async (t) => {
    const application = await backend(t, answering(ok(BODY)))
    const certificate = makeCertificate(testFolder(t))
    const { sidecar, port } = makeSidecar(t, application.port, certificate, `sockets: ${sockets}`)
    await sidecar.start()
    const session = connectHttp2(`https://127.0.0.1:${port()}`, { ca: certificate.pem.certificate })
    t.teardown(() => {
      session.destroy()
    })
    const asked = [1, 2, 3].map(async (each) => {
      const stream = session.request({ ':path': `/${each}` })
      const [headers] = (await once(stream, 'response')) as [{ ':status'?: number }]
      t.equal(headers[':status'], 200)
      t.equal(await text(stream), BODY)
    })
    await Promise.all(asked)
    t.equal(session.alpnProtocol, 'h2')
    const paths = application.requests.map((request) => request.split(' ')[1])
    t.same(paths.sort(), ['/1', '/2', '/3'])
    const curl = ['--silent', '--http2', '--cacert', certificate.certificate]
    const url = `https://127.0.0.1:${port()}/`
    const { stdout } = await run('curl', [...curl, '--write-out', '%{http_version}', url])
    t.equal(stdout, `${BODY}2`)
  })
}

t.test('tls: calls of gRPC go on as HTTP/2, which nothing else can carry', async (t) => {
  const application = await backend(
    t,
    answering(() => undefined),
  )
  const certificate = makeCertificate(testFolder(t))
  const { sidecar, port } = makeSidecar(t, application.port, certificate)
  await sidecar.start()
  const session = connectHttp2(`https://127.0.0.1:${port()}`, { ca: certificate.pem.certificate })
  t.teardown(() => {
    session.destroy()
  })
  const call = session.request({ ':method': 'POST', 'content-type': 'application/grpc' })
  call.on('error', () => undefined)
  call.end()
  await until('it is there', () => application.received.startsWith('PRI * HTTP/2.0\r\n'))
  const { body } = await sidecar.metrics()
  t.match(body, 'underpass_http2_open_connections{direction="inbound",role="upstream"} 1')
})

t.test('tls: who agreed on HTTP/2 has to speak it', async (t) => {
  const application = await backend(t, answering(ok('x')))
  const certificate = makeCertificate(testFolder(t))
  const { sidecar, port } = makeSidecar(t, application.port, certificate)
  await sidecar.start()
  const ca = certificate.pem.certificate
  const socket = connect({ port: port(), host: '127.0.0.1', ca, ALPNProtocols: ['h2'] })
  t.teardown(() => socket.destroy())
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  socket.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'close')
  const said = Buffer.concat(chunks)
  t.equal(said[3], 4, 'SETTINGS comes first')
  t.match(said.toString('latin1'), 'no preface')
  t.same(application.received, '')
})
