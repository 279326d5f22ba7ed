// Listening and connecting on libuv handles.
//
// Options that every accepted connection needs (no delay, keepalive) are set once on the listening socket: Linux
// hands them on to what it accepts, which saves five system calls a connection. The bytes are left to
// raw-connection.ts.

import type { SocketAddress } from '../../lib/address.ts'
import { type Bind, bindHandle, boundPort, must } from './bound-handle.ts'
import type { Acceptor, Dial, Dialer, Listener, SocketOptions, Sockets } from './connection.ts'
import { errnoName, type Internals, type Request, type TcpHandle } from './node-internals.ts'
import { RawConnection, type RawContext, toAddress } from './raw-connection.ts'
import { ReadBuffers } from './read-buffers.ts'

const BACKLOG = 4096

export class RawSockets implements Sockets {
  readonly kind = 'raw'
  readonly #context: RawContext
  readonly #bind: Bind | undefined

  /** `bind` says where bound handles come from; this process binds them itself without it. */
  constructor(internals: Internals, bind?: Bind) {
    this.#context = { internals, buffers: new ReadBuffers(), spareWrite: internals.newWrite() }
    this.#bind = bind
  }

  async listen(
    address: SocketAddress,
    acceptor: Acceptor,
    options: SocketOptions,
  ): Promise<Listener> {
    const handle =
      this.#bind === undefined
        ? bindHandle(this.#context.internals, address)
        : await this.#bind(address)
    return new RawListener(this.#context, handle, address, acceptor, options)
  }

  connect(address: SocketAddress, dialer: Dialer, options: SocketOptions): Dial {
    return new RawDial(this.#context, address, dialer, options)
  }
}

class RawListener implements Listener {
  readonly address: SocketAddress
  readonly #handle: TcpHandle
  readonly #context: RawContext
  readonly #acceptor: Acceptor
  #closed = false

  constructor(
    context: RawContext,
    handle: TcpHandle,
    address: SocketAddress,
    acceptor: Acceptor,
    options: SocketOptions,
  ) {
    this.#context = context
    this.#acceptor = acceptor
    this.#handle = handle
    handle.owner = this
    handle.onconnection = onConnection
    setOptions(handle, options)
    must(handle, handle.listen(BACKLOG))
    this.address = { ip: address.ip, port: boundPort(handle) }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#handle.close()
  }

  accepted(status: number, client: TcpHandle | undefined): void {
    if (client === undefined) this.#acceptor.onAcceptFailed(errnoName(status))
    else if (this.#closed) client.close()
    else this.#acceptor.onAccept(new RawConnection(client, this.#context))
  }
}

class RawDial implements Dial {
  readonly local: SocketAddress | undefined
  readonly #handle: TcpHandle
  readonly #context: RawContext
  #dialer: Dialer | undefined

  constructor(context: RawContext, address: SocketAddress, dialer: Dialer, options: SocketOptions) {
    this.#context = context
    this.#dialer = dialer
    this.#handle = context.internals.newSocket()
    this.#handle.setNoDelay(true)
    const request = context.internals.newConnect()
    request.owner = this
    request.oncomplete = onConnectDone
    const { ip, port } = address
    const status = ip.includes(':')
      ? this.#handle.connect6(request, ip, port)
      : this.#handle.connect(request, ip, port)
    if (status !== 0) {
      setImmediate(tellDone, this, status)
      return
    }
    if (options.keepAlive > 0) setKeepAlive(this.#handle, options)
    const bound: { address?: string; port?: number } = {}
    if (this.#handle.getsockname(bound) === 0) this.local = toAddress(bound)
  }

  cancel(): void {
    if (this.#dialer === undefined) return
    this.#dialer = undefined
    this.#handle.close()
  }

  done(status: number): void {
    const dialer = this.#dialer
    if (dialer === undefined) return
    this.#dialer = undefined
    if (status === 0) {
      dialer.onConnected(new RawConnection(this.#handle, this.#context))
    } else {
      this.#handle.close()
      dialer.onConnectFailed(errnoName(status))
    }
  }
}

function setOptions(handle: TcpHandle, options: SocketOptions): void {
  handle.setNoDelay(true)
  if (options.keepAlive > 0) setKeepAlive(handle, options)
}

function setKeepAlive(handle: TcpHandle, options: SocketOptions): void {
  handle.setKeepAlive(true, Math.max(1, Math.round(options.keepAlive / 1000)))
}

function onConnection(this: TcpHandle, status: number, client: TcpHandle | undefined): void {
  ;(this.owner as RawListener).accepted(status, client)
}

function onConnectDone(this: Request, status: number): void {
  ;(this.owner as RawDial).done(status)
}

function tellDone(dial: RawDial, status: number): void {
  dial.done(status)
}
