// The one file that touches what Node.js keeps to itself: libuv's TCP handles without the streams around them.
//
// A relay through streams costs half as much again as HAProxy on bulk; handles cost less than HAProxy, and their
// idle memory is a quarter. The price is an interface without a promise of stability, so every piece that is used
// is checked here first; if one is missing, `loadInternals` says so and the data plane runs on plain `net` sockets
// (sockets.ts chooses). Nothing else in the project may reach below `net`.

import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** A request object: libuv's view of one write, shutdown or connect. */
export interface Request {
  oncomplete: (this: Request, status: number) => void
  /** Ours: whose request it is. */
  owner: unknown
  /** Ours: what must stay in memory until the request is done. */
  kept: unknown
}

export interface AddressInfo {
  address?: string
  port?: number
}

export interface TcpHandle {
  /** Called after each read; what it returns is the buffer of the next read. */
  onread: (this: TcpHandle) => Uint8Array | undefined
  onconnection: (this: TcpHandle, status: number, client: TcpHandle | undefined) => void
  /** Ours: the connection or listener around this handle. */
  owner: unknown
  readonly fd: number
  readStart(): number
  readStop(): number
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: Request, chunk: Uint8Array): number
  shutdown(request: Request): number
  connect(request: Request, ip: string, port: number): number
  connect6(request: Request, ip: string, port: number): number
  bind(ip: string, port: number): number
  bind6(ip: string, port: number, flags: number): number
  listen(backlog: number): number
  getsockname(into: AddressInfo): number
  getpeername(into: AddressInfo): number
  setNoDelay(on: boolean): number
  setKeepAlive(on: boolean, seconds: number): number
  reset(done?: () => void): number
  close(done?: () => void): void
}

export interface Internals {
  newSocket(): TcpHandle
  newServer(): TcpHandle
  newWrite(): Request
  newShutdown(): Request
  newConnect(): Request
  /** Results of the last read or write, at the two places below. */
  readonly state: Int32Array
  /** Where in `state` a read leaves its byte count, or its negative errno. */
  readonly readResult: number
  /** Where in `state` a write says whether it is still under way. */
  readonly writeIsAsync: number
}

type Constructor<T> = new (...args: number[]) => T

const HANDLE_METHODS = [
  ...['readStart', 'readStop', 'useUserBuffer', 'writeBuffer', 'shutdown', 'connect', 'connect6'],
  ...['bind', 'bind6', 'listen', 'getsockname', 'getpeername', 'setNoDelay', 'setKeepAlive'],
  ...['reset', 'close'],
]

type Binding = Readonly<Record<string, unknown>>

/** The internals, or a sentence that says what this Node.js does not have. */
export function loadInternals(
  binding: (name: string) => Binding = processBinding,
): Internals | string {
  try {
    return readInternals(binding('tcp_wrap'), binding('stream_wrap'))
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The descriptor of a `net` socket, -1 if it has none. */
export function descriptorOf(socket: Socket): number {
  const handle = (socket as unknown as { _handle?: { fd?: unknown } | null })._handle
  return typeof handle?.fd === 'number' ? handle.fd : -1
}

/** The TCP socket below a TLS socket, any other socket itself; undefined if this Node.js does not say. */
export function carrierOf(socket: Socket): Socket | undefined {
  if ((socket as { encrypted?: boolean }).encrypted !== true) return socket
  return (socket as unknown as { _parent?: Socket | null })._parent ?? undefined
}

/** The name of a negative errno, such as ECONNRESET. */
export function errnoName(status: number): string {
  return status < 0 ? getSystemErrorName(status) : 'UNKNOWN'
}

function readInternals(tcp: Binding, stream: Binding): Internals {
  const Tcp = constructorOf<TcpHandle>(tcp, 'TCP')
  const Connect = constructorOf<Request>(tcp, 'TCPConnectWrap')
  const Write = constructorOf<Request>(stream, 'WriteWrap')
  const Shutdown = constructorOf<Request>(stream, 'ShutdownWrap')
  const kinds = objectOf(tcp, 'constants')
  const socketKind = numberOf(kinds, 'SOCKET')
  const serverKind = numberOf(kinds, 'SERVER')
  const state = stream['streamBaseState']
  if (!(state instanceof Int32Array)) throw new Error('streamBaseState is not an Int32Array')
  const prototype = Tcp.prototype as Readonly<Record<string, unknown>>
  for (const method of HANDLE_METHODS) {
    if (typeof prototype[method] !== 'function') throw new Error(`TCP has no ${method}`)
  }
  return {
    newSocket: () => new Tcp(socketKind),
    newServer: () => new Tcp(serverKind),
    newWrite: () => new Write(),
    newShutdown: () => new Shutdown(),
    newConnect: () => new Connect(),
    state,
    readResult: numberOf(stream, 'kReadBytesOrError'),
    writeIsAsync: numberOf(stream, 'kLastWriteWasAsync'),
  }
}

function processBinding(name: string): Binding {
  const host = process as unknown as { binding?: (name: string) => Binding }
  if (typeof host.binding !== 'function') throw new Error('process.binding is gone')
  return host.binding(name)
}

function constructorOf<T>(from: Binding, name: string): Constructor<T> {
  const found = from[name]
  if (typeof found !== 'function') throw new Error(`${name} is not a constructor`)
  return found as Constructor<T>
}

function objectOf(from: Binding, name: string): Binding {
  const found = from[name]
  if (typeof found !== 'object' || found === null) throw new Error(`${name} is not an object`)
  return found as Binding
}

function numberOf(from: Binding, name: string): number {
  const found = from[name]
  if (typeof found !== 'number') throw new Error(`${name} is not a number`)
  return found
}
