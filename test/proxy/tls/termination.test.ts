// Handshakes with real clients, and what comes of their connections.

import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { Connection, Listener, Receiver } from '../../../src/proxy/net/connection.ts'
import { NO_RECEIVER, PENDING, WRITTEN } from '../../../src/proxy/net/connection.ts'
import { Termination, type TerminationOptions } from '../../../src/proxy/tls/termination.ts'
import { makeCertificate, type TestCertificate, testFolder } from '../../support/certificates.ts'
import { errorOf, readAll } from '../../support/tcp.ts'
import { until } from '../../support/until.ts'

interface Opened {
  readonly termination: Termination
  readonly listener: Listener
  readonly certificate: TestCertificate
  readonly accepted: Connection[]
  readonly failures: string[]
  readonly dropped: string[]
}

const certified = ({ pem }: TestCertificate): Parameters<Termination['renew']>[0] => ({
  ...pem,
  expires: Number.POSITIVE_INFINITY,
})

async function open(
  t: Test,
  kind: 'ec' | 'rsa' = 'ec',
  options: Partial<TerminationOptions> = {},
): Promise<Opened> {
  const certificate = makeCertificate(testFolder(t), 'server', kind)
  const rules = { keepAlive: 0, maxConnections: 100, ...options }
  const termination = new Termination(certified(certificate), rules)
  const [accepted, failures, dropped]: [Connection[], string[], string[]] = [[], [], []]
  const acceptor = {
    onAccept: (connection: Connection) => {
      accepted.push(connection)
    },
    onAcceptFailed: (code: string) => {
      dropped.push(code)
    },
  }
  const address = { ip: '127.0.0.1', port: 0 }
  const listener = await termination.listen(address, acceptor, (_, reason) => {
    failures.push(reason)
  })
  t.teardown(() => {
    listener.close()
    for (const connection of accepted) connection.close()
  })
  return { termination, listener, certificate, accepted, failures, dropped }
}

function start(t: Test, { listener, certificate }: Opened, options: ConnectionOptions): TLSSocket {
  const socket = connect({
    port: listener.address.port,
    host: '127.0.0.1',
    ca: certificate.pem.certificate,
    ...options,
  })
  t.teardown(() => socket.destroy())
  return socket
}

async function shake(t: Test, opened: Opened, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = start(t, opened, options)
  await once(socket, 'secureConnect')
  await until('it is accepted', () => opened.accepted.length > 0)
  return socket
}

const ALPN: readonly [offered: string[] | undefined, agreed: string][] = [
  [['h2', 'http/1.1'], 'h2'],
  [['http/1.1', 'h2'], 'h2'],
  [['h2'], 'h2'],
  [['http/1.1'], 'http/1.1'],
  [['http/1.0', 'http/1.1'], 'http/1.1'],
  [undefined, ''],
]

t.test('termination: what was agreed on by ALPN stands at the connection', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const [offered, agreed] of ALPN) {
      const opened = await open(t)
      const rules = { minVersion: version, maxVersion: version }
      const socket = await shake(t, opened, offered ? { ...rules, ALPNProtocols: offered } : rules)
      t.equal(socket.alpnProtocol, agreed === '' ? false : agreed, `${version} ${offered?.join()}`)
      t.equal(opened.accepted[0]?.alpn, agreed)
      t.equal(socket.getProtocol(), version)
    }
  }
})

t.test('termination: with no protocol in common there is no connection', async (t) => {
  const opened = await open(t)
  const socket = start(t, opened, { ALPNProtocols: ['imap'] })
  t.match(await errorOf(socket), /NO_APPLICATION_PROTOCOL|ECONNRESET/)
  await until('it is told', () => opened.failures.length === 1)
  t.same(opened.accepted, [])
})

t.test('termination: only ephemeral keys with AEAD in TLS 1.2, and nothing older', async (t) => {
  const forbidden = [
    ['ECDHE-RSA-AES128-SHA', 'TLSv1.2'],
    ['ECDHE-RSA-AES256-SHA384', 'TLSv1.2'],
    ['AES128-GCM-SHA256', 'TLSv1.2'],
    ['AES256-SHA', 'TLSv1.2'],
    ['ECDHE-RSA-AES128-SHA:@SECLEVEL=0', 'TLSv1.1'],
  ] as const
  const opened = await open(t, 'rsa')
  for (const [ciphers, version] of forbidden) {
    const rules = { minVersion: version, maxVersion: version }
    const code = await errorOf(start(t, opened, { ciphers, ...rules }))
    t.match(code, /HANDSHAKE_FAILURE|PROTOCOL_VERSION|NO_PROTOCOLS|UNSUPPORTED/, ciphers)
  }
  t.same(opened.accepted, [])
  await until('each is told', () => opened.failures.length === forbidden.length)
  const allowed = ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-CHACHA20-POLY1305']
  for (const ciphers of allowed) {
    const socket = await shake(t, opened, { ciphers, maxVersion: 'TLSv1.2' })
    t.equal(socket.getCipher().name, ciphers)
  }
})

t.test('termination: a client cannot renegotiate', async (t) => {
  const opened = await open(t)
  const socket = await shake(t, opened, { maxVersion: 'TLSv1.2' })
  const refused = await new Promise<Error | null>((resolve) => {
    socket.once('error', resolve)
    socket.renegotiate({}, resolve)
  })
  t.match(refused?.message, /renegotiation/)
})

class Echo implements Receiver {
  readonly results: number[] = []
  drained = 0
  errors: string[] = []
  onData(from: Connection, chunk: Buffer): void {
    const result = from.write(chunk)
    this.results.push(result)
    if (result === PENDING) from.readStop()
  }
  onEnd(from: Connection): void {
    from.end()
  }
  onDrain(to: Connection): void {
    this.drained += 1
    to.readStart()
  }
  onFinished(to: Connection): void {
    to.close()
  }
  onError(_: Connection, code: string): void {
    this.errors.push(code)
  }
}

t.test('termination: bytes pass both ways, whole and in order, and so does the end', async (t) => {
  const opened = await open(t)
  const socket = await shake(t, opened)
  const echo = new Echo()
  const [connection] = opened.accepted
  if (connection === undefined) throw new Error('nothing was accepted')
  t.same(connection.remote(), { ip: '127.0.0.1', port: socket.localPort })
  t.same(connection.local(), opened.listener.address)
  t.ok(connection.fd > 0)
  connection.receiver = echo
  connection.readStart()
  const sent = Buffer.alloc(3_000_000, Buffer.from(Array.from({ length: 251 }, (_, at) => at)))
  const back = readAll(socket)
  socket.end(sent)
  t.ok((await back).equals(sent))
  t.ok(echo.drained > 0)
  t.same(
    echo.results.filter((result) => result !== WRITTEN && result !== PENDING),
    [],
  )
  t.same(echo.errors, [])
  connection.close()
})

t.test('termination: what is written may be used again once it is said to be', async (t) => {
  const opened = await open(t)
  const socket = await shake(t, opened)
  const [connection] = opened.accepted
  if (connection === undefined) throw new Error('nothing was accepted')
  const buffer = Buffer.alloc(1000)
  let left = 200
  const write = (): void => {
    while (left > 0) {
      buffer.fill(left)
      left -= 1
      if (connection.write(buffer) === PENDING) return
    }
    connection.end()
  }
  connection.receiver = { ...NO_RECEIVER, onDrain: write }
  connection.readStart()
  const back = readAll(socket)
  write()
  const expected = Array.from({ length: 200 }, (_, at) => Buffer.alloc(1000, 200 - at))
  t.ok((await back).equals(Buffer.concat(expected)))
})

t.test('termination: a reset is one', async (t) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const opened = await open(t)
    const socket = start(t, opened, { maxVersion })
    let tickets = 0
    socket.on('session', () => {
      tickets += 1
    })
    await until('it is accepted', () => opened.accepted.length > 0)
    // A client on libuv that reads its last bytes when the reset has come as well takes it for an orderly end.
    await until('it has read what follows the handshake', () => tickets > 0)
    opened.accepted[0]?.reset()
    opened.accepted[0]?.reset()
    t.equal(await errorOf(socket), 'ECONNRESET', maxVersion)
  }
})

t.test('termination: the next handshake shows the next certificate', async (t) => {
  const opened = await open(t)
  const next = makeCertificate(testFolder(t), 'next')
  const socket = await shake(t, opened)
  t.equal(socket.getPeerCertificate().subject.CN, 'server')
  opened.termination.renew(certified(next))
  const other = await shake(t, { ...opened, certificate: next })
  t.equal(other.getPeerCertificate().subject.CN, 'next')
  t.equal(socket.destroyed, false, 'what is open stays')
  const weak = start(
    t,
    { ...opened, certificate: next },
    { ciphers: 'AES128-GCM-SHA256', maxVersion: 'TLSv1.2' },
  )
  t.match(await errorOf(weak), 'HANDSHAKE_FAILURE', 'under the same rules')
})

t.test('termination: any name, or none, gets the certificate', async (t) => {
  const opened = await open(t)
  for (const servername of ['localhost', 'x'.repeat(255), '']) {
    const socket = await shake(t, opened, { servername, checkServerIdentity: () => undefined })
    t.equal(socket.getPeerCertificate().subject.CN, 'server')
  }
})

t.test('termination: handshakes that come to nothing are told, and end', async (t) => {
  const opened = await open(t, 'ec', { handshakeTimeout: 50 })
  const dial = async (text: string): Promise<Buffer> => {
    const socket = connectPlain(opened.listener.address.port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    if (text !== '') socket.write(text)
    return await readAll(socket).catch(() => Buffer.alloc(0))
  }
  await dial('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await dial('\x16\x03\x01\x00\x05hello')
  await dial('')
  await until('all are told', () => opened.failures.length === 3)
  t.same([...opened.failures].sort(), [
    'ERR_SSL_HTTP_REQUEST',
    'ERR_SSL_UNEXPECTED_MESSAGE',
    'ERR_TLS_HANDSHAKE_TIMEOUT',
  ])
  t.same(opened.accepted, [])
})

t.test('termination: no more connections than it may have, handshakes included', async (t) => {
  const opened = await open(t, 'ec', { maxConnections: 2 })
  const idle = [1, 2].map(() => connectPlain(opened.listener.address.port, '127.0.0.1'))
  for (const socket of idle) {
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
  }
  await errorOf(start(t, opened, {}))
  t.same(opened.dropped, ['EMFILE'])
})

t.test('termination: closed, it ends handshakes and lets connections be', async (t) => {
  const opened = await open(t)
  const socket = await shake(t, opened)
  const idle = connectPlain(opened.listener.address.port, '127.0.0.1')
  await once(idle, 'connect')
  await until('it is in its handshake', () => opened.listener.address.port > 0)
  const ended = once(idle, 'close')
  idle.on('error', () => undefined)
  idle.resume()
  // The kernel has handed it over once another one got through behind it.
  await shake(t, opened)
  opened.listener.close()
  await ended
  const echo = new Echo()
  const [connection] = opened.accepted
  if (connection === undefined) throw new Error('nothing was accepted')
  connection.receiver = echo
  connection.readStart()
  socket.write('still here')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.equal(answer.toString(), 'still here')
  t.same(opened.failures, [])
})
