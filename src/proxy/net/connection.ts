// One TCP connection as the data plane sees it: below streams, above file descriptors.
//
// It exists so that the relay can be written once for the two ways Node has of moving bytes (raw-connection.ts and
// stream-connection.ts) and tested without either. Who is at the other end, and why, is not known here.

import type { SocketAddress } from '../../lib/address.ts'

/** The write is done and the chunk may be reused. */
export const WRITTEN = 0
/** The kernel took only a part: leave the chunk alone until `onDrain`. */
export const PENDING = 1
/** The write failed; `onError` is called in a later turn of the event loop. */
export const FAILED = 2
export type WriteResult = typeof WRITTEN | typeof PENDING | typeof FAILED

/** Who is told what happens on a connection. */
export interface Receiver {
  /** Bytes arrived. They may be overwritten once this returns, unless reading was stopped meanwhile. */
  onData(from: Connection, chunk: Buffer): void
  /** The peer will send nothing more (FIN). */
  onEnd(from: Connection): void
  /** The pending write is done. */
  onDrain(to: Connection): void
  /** Our FIN is on its way, after everything that was written. */
  onFinished(to: Connection): void
  /** The connection is broken; `code` is the errno's name, such as ECONNRESET. Nothing follows. */
  onError(at: Connection, code: string): void
}

export interface Connection {
  receiver: Receiver
  /** The descriptor, for socket options; -1 once closed. */
  readonly fd: number
  /** What both sides of a TLS handshake agreed to speak (ALPN); empty or absent where they did not say. */
  readonly alpn?: string
  /** The address at the other end, undefined if it is already gone. */
  remote(): SocketAddress | undefined
  /** Our own address of this connection, undefined if it is already gone. */
  local(): SocketAddress | undefined
  readStart(): void
  readStop(): void
  /** At most one write may be pending. */
  write(chunk: Uint8Array): WriteResult
  /** Sends FIN after what was written. */
  end(): void
  /** True if the kernel knows that the peer is gone, for a connection that is not read from and so does not tell. */
  isGone(): boolean
  /** What was read last is still needed when more is read: the next read goes elsewhere. */
  leave(): void
  /** Nothing has moved for a while: give back what memory can be given back. */
  rest(): void
  /** Ends it at once, without a further call to the receiver. Safe to call twice. */
  close(): void
  /** As `close`, but the peer gets a reset (RST) in place of an orderly end. */
  reset(): void
}

export interface SocketOptions {
  /** First TCP keepalive probe after so many milliseconds of silence; 0 for none. */
  readonly keepAlive: number
}

/** A connect attempt that can still be given up. */
export interface Dial {
  /** Our own address, known as soon as the attempt is under way: at once, or after `process.nextTick`. */
  readonly local: SocketAddress | undefined
  /** Gives it up; the outcome is not told any more. */
  cancel(): void
}

/** Told once how a connect attempt went. */
export interface Dialer {
  onConnected(connection: Connection): void
  /** `code` is the errno's name. */
  onConnectFailed(code: string): void
}

export interface Listener {
  /** As bound: the port is the real one where 0 was asked for. */
  readonly address: SocketAddress
  /** Stops accepting. Open connections go on. */
  close(): void
}

/** Told of connections that arrive. */
export interface Acceptor {
  onAccept(connection: Connection): void
  /** The kernel could not hand over a connection; `code` is the errno's name, EMFILE above all. */
  onAcceptFailed(code: string): void
}

/** The two things one does with TCP. */
export interface Sockets {
  readonly kind: 'raw' | 'streams'
  /** Rejects with an errno error if the address cannot be bound. */
  listen(address: SocketAddress, acceptor: Acceptor, options: SocketOptions): Promise<Listener>
  connect(address: SocketAddress, dialer: Dialer, options: SocketOptions): Dial
}

/** Drops everything: what a connection has before somebody takes it, and after it is closed. */
export const NO_RECEIVER: Receiver = {
  onData: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onFinished: () => undefined,
  onError: () => undefined,
}
