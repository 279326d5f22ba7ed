// TLS ends here: a listener that gives its acceptor connections whose handshake is done, as plain as any other.
//
// TLS 1.2 is the least, and of its cipher suites only those that RFC 9113 section 9.2.2 does not forbid: ephemeral key
// exchange with AEAD. ALPN offers h2 and http/1.1; what was agreed on stands at the connection, and what becomes of it is
// left to whoever takes it. There is one certificate whatever name a client asks for, so that no code of ours runs during
// a handshake.

import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import type { SocketAddress } from '../../lib/address.ts'
import type { Millis } from '../../lib/duration.ts'
import type { Bind } from '../net/bound-handle.ts'
import type { Acceptor, Listener, SocketOptions } from '../net/connection.ts'
import { carrierOf } from '../net/node-internals.ts'
import {
  codeOf,
  openServer,
  StreamConnection,
  serverOptions,
  toAddress,
} from '../net/stream-sockets.ts'
import type { Certified } from './certificate-files.ts'

const HANDSHAKE_TIMEOUT: Millis = 10_000

const CIPHERS: readonly string[] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
]

/** What every handshake is held to. RFC 9113 section 9.2.1 forbids compression, which Node never does. */
const RULES: TlsOptions = {
  minVersion: 'TLSv1.2',
  ciphers: CIPHERS.join(':'),
  honorCipherOrder: true,
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
}

export interface TerminationOptions extends SocketOptions {
  /** Connections of this listener, those in their handshake included. */
  readonly maxConnections: number
  readonly handshakeTimeout?: Millis
}

/** Told of a handshake that came to nothing; `reason` is the code of its error, ECONNRESET for a client that left. */
export type HandshakeFailed = (client: SocketAddress | undefined, reason: string) => void

export class Termination {
  readonly #server: Server
  /** Those in their handshake, which nobody else knows yet. */
  readonly #shaking = new Set<Socket>()
  #isClosed = false

  constructor(certified: Certified, options: TerminationOptions) {
    this.#server = createServer({
      ...serverOptions(options),
      ...contextOf(certified),
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: options.handshakeTimeout ?? HANDSHAKE_TIMEOUT,
    })
    this.#server.maxConnections = options.maxConnections
  }

  /** Once. Rejects with an errno error if the address cannot be bound. `bind` is as for plain sockets. */
  async listen(
    address: SocketAddress,
    acceptor: Acceptor,
    onHandshakeFailed: HandshakeFailed,
    bind?: Bind,
  ): Promise<Listener> {
    const server = this.#server
    server.on('connection', (socket: Socket) => {
      this.#shaking.add(socket)
      socket.once('close', () => this.#shaking.delete(socket))
    })
    server.on('secureConnection', (socket) => {
      this.#secured(socket, acceptor)
    })
    server.on('tlsClientError', (error, socket) => {
      if (!this.#isClosed) {
        const { remoteAddress, remotePort } = socket
        onHandshakeFailed(toAddress(remoteAddress, remotePort), codeOf(error))
      }
      socket.destroy()
    })
    const listener = await openServer(server, address, acceptor, bind)
    return {
      address: listener.address,
      close: () => {
        this.#isClosed = true
        listener.close()
        for (const socket of this.#shaking) socket.destroy()
      },
    }
  }

  /** Handshakes from now on show this one. */
  renew(certified: Certified): void {
    this.#server.setSecureContext(contextOf(certified))
  }

  #secured(socket: TLSSocket, acceptor: Acceptor): void {
    const carrier = carrierOf(socket)
    if (carrier !== undefined) this.#shaking.delete(carrier)
    const { alpnProtocol } = socket
    acceptor.onAccept(
      new StreamConnection(socket, alpnProtocol === false ? '' : (alpnProtocol ?? '')),
    )
  }
}

function contextOf({ certificate, key }: Certified): TlsOptions {
  return { ...RULES, cert: certificate, key }
}
