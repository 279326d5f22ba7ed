// The fallback: the same sockets on Node's public `net`, for a Node.js whose internals are not the known ones.
//
// Behaves as raw-sockets.ts does and costs more. What is written may be a buffer that is used again, so a write is
// pending until the stream has let go of it, however little it is. TLS (tls/termination.ts) stands on the same
// connections.

import { connect, createServer, type Server, type ServerOpts, type Socket } from 'node:net'
import { parseIp, type SocketAddress } from '../../lib/address.ts'
import type { Bind } from './bound-handle.ts'
import {
  type Acceptor,
  type Connection,
  type Dial,
  type Dialer,
  FAILED,
  type Listener,
  NO_RECEIVER,
  PENDING,
  type Receiver,
  type SocketOptions,
  type Sockets,
  WRITTEN,
  type WriteResult,
} from './connection.ts'
import { carrierOf, descriptorOf } from './node-internals.ts'

const BACKLOG = 4096

export class StreamSockets implements Sockets {
  readonly kind = 'streams'
  readonly #bind: Bind | undefined

  /** `bind` says where bound handles come from; this process binds them itself without it. */
  constructor(bind?: Bind) {
    this.#bind = bind
  }

  async listen(
    address: SocketAddress,
    acceptor: Acceptor,
    options: SocketOptions,
  ): Promise<Listener> {
    const server = createServer({ ...serverOptions(options), pauseOnConnect: true })
    server.on('connection', (socket) => {
      acceptor.onAccept(new StreamConnection(socket))
    })
    return await openServer(server, address, acceptor, this.#bind)
  }

  connect(address: SocketAddress, dialer: Dialer, options: SocketOptions): Dial {
    return new StreamDial(address, dialer, options)
  }
}

/** How every server of ours treats what it accepts. */
export function serverOptions({ keepAlive }: SocketOptions): ServerOpts {
  return {
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: keepAlive > 0,
    keepAliveInitialDelay: keepAlive,
  }
}

/** Listens with a server whose connections somebody else takes. Rejects with an errno error. */
export async function openServer(
  server: Server,
  address: SocketAddress,
  acceptor: Acceptor,
  bind?: Bind,
): Promise<Listener> {
  server.on('drop', () => {
    acceptor.onAcceptFailed('EMFILE')
  })
  const bound = await bind?.(address)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    const done = (): void => {
      server.off('error', reject)
      resolve()
    }
    if (bound !== undefined) server.listen(bound, BACKLOG, done)
    else server.listen({ host: address.ip, port: address.port, backlog: BACKLOG }, done)
  })
  server.on('error', (error) => {
    acceptor.onAcceptFailed(codeOf(error))
  })
  return new StreamListener(server, address)
}

class StreamListener implements Listener {
  readonly address: SocketAddress
  readonly #server: Server

  constructor(server: Server, address: SocketAddress) {
    const bound = server.address()
    const port = bound !== null && typeof bound === 'object' ? bound.port : address.port
    this.#server = server
    this.address = { ip: address.ip, port }
  }

  close(): void {
    this.#server.close()
  }
}

class StreamDial implements Dial {
  readonly #socket: Socket
  #dialer: Dialer | undefined
  #underWay = false

  constructor(address: SocketAddress, dialer: Dialer, options: SocketOptions) {
    this.#dialer = dialer
    this.#socket = connect({
      host: address.ip,
      port: address.port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: options.keepAlive > 0,
      keepAliveInitialDelay: options.keepAlive,
    })
    this.#socket.pause()
    // `net` asks the kernel in the next tick, which it has set before this one. Asking for the address earlier would
    // make it remember that there is none.
    process.nextTick(() => {
      this.#underWay = true
    })
    const failed = (error: Error): void => {
      this.#take()?.onConnectFailed(codeOf(error))
    }
    this.#socket.once('error', failed)
    this.#socket.once('connect', () => {
      this.#socket.off('error', failed)
      this.#take()?.onConnected(new StreamConnection(this.#socket))
    })
  }

  get local(): SocketAddress | undefined {
    return this.#underWay ? toAddress(this.#socket.localAddress, this.#socket.localPort) : undefined
  }

  cancel(): void {
    if (this.#take() !== undefined) this.#socket.destroy()
  }

  #take(): Dialer | undefined {
    const dialer = this.#dialer
    this.#dialer = undefined
    return dialer
  }
}

export class StreamConnection implements Connection {
  receiver: Receiver = NO_RECEIVER
  readonly alpn: string
  readonly #socket: Socket
  #closed = false
  #failure = ''
  #isPending = false

  constructor(socket: Socket, alpn = '') {
    this.alpn = alpn
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.receiver.onData(this, chunk)
    })
    socket.on('end', () => {
      this.receiver.onEnd(this)
    })
    socket.on('error', (error) => {
      this.#failure = codeOf(error)
      this.receiver.onError(this, this.#failure)
    })
    socket.pause()
  }

  get fd(): number {
    return descriptorOf(this.#socket)
  }

  remote(): SocketAddress | undefined {
    return toAddress(this.#socket.remoteAddress, this.#socket.remotePort)
  }

  local(): SocketAddress | undefined {
    return toAddress(this.#socket.localAddress, this.#socket.localPort)
  }

  readStart(): void {
    if (this.#closed) return
    this.#socket.resume()
    // It broke while nobody was told.
    const failure = this.#failure
    if (failure !== '')
      setImmediate(() => {
        this.receiver.onError(this, failure)
      })
  }

  readStop(): void {
    if (!this.#closed) this.#socket.pause()
  }

  write(chunk: Uint8Array): WriteResult {
    if (this.#closed || this.#socket.destroyed) return FAILED
    this.#socket.write(chunk, this.#written)
    // Where the kernel took it at once, nothing of it is left.
    if (this.#socket.writableLength === 0) return WRITTEN
    this.#isPending = true
    return PENDING
  }

  end(): void {
    if (this.#closed) return
    // Not `end`'s own callback, which is called for failures too.
    this.#socket.once('finish', () => {
      this.receiver.onFinished(this)
    })
    this.#socket.end()
  }

  isGone(): boolean {
    // A stream keeps the address it has once seen: such a connection is left to the idle timeout.
    return false
  }

  leave(): void {
    // Every chunk has memory of its own.
  }

  rest(): void {
    // Streams give back their memory by themselves.
  }

  close(): void {
    if (!this.#release()) return
    this.#socket.destroy()
  }

  reset(): void {
    if (!this.#release()) return
    const carrier = carrierOf(this.#socket)
    // Node would never close the handle if a FIN is on its way at that moment (see raw-connection.ts).
    if (carrier === undefined || isShutting(this.#socket)) this.#socket.destroy()
    else carrier.resetAndDestroy()
  }

  // Also told of writes that were done at once, later in the turn, when another may be under way.
  readonly #written = (error?: Error | null): void => {
    if (!this.#isPending || (error ?? null) !== null || this.#socket.writableLength > 0) return
    this.#isPending = false
    this.receiver.onDrain(this)
  }

  #release(): boolean {
    if (this.#closed) return false
    this.#closed = true
    this.receiver = NO_RECEIVER
    return true
  }
}

/** Everything is written, and the FIN behind it is not through yet. */
function isShutting(socket: Socket): boolean {
  return socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
}

/** The errno's name, or whatever else says what happened. */
export function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message
}

/** In normal form; undefined if the socket has forgotten it. */
export function toAddress(
  ip: string | undefined,
  port: number | undefined,
): SocketAddress | undefined {
  const normal = parseIp(ip ?? '')
  return normal === undefined || port === undefined ? undefined : { ip: normal, port }
}
