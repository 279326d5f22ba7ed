// One HTTP/2 connection (RFC 9113), of a client or a server: bytes in, bytes out, and streams in between.
//
// It knows no socket: what it writes goes to a sink, once a turn. What requests and responses lead to is left to the
// receivers of the streams, what becomes of the connection to its owner.

import type { Millis } from '../../../lib/duration.ts'
import type { H2LimitName, H2Limits } from './h2-limits.ts'
import type { H2Stream } from './h2-stream.ts'
import type { HeadEncoder } from './head-encoder.ts'
import type { StreamReceiver } from './stream-receiver.ts'

/** Where frames go. */
export interface H2Sink {
  /** False: the bytes must stay as they are, and no more are given, until `H2Connection.drained` is called. */
  write(bytes: Buffer): boolean
  /** Calls `flush` of the connection when the sockets of this turn were served. */
  schedule(connection: H2Connection): void
  /** What is being read must stay where it is: the next read goes elsewhere. */
  leaveRead(): void
}

export interface H2Owner {
  /** The receiver for a stream object of a server; asked once for each object, not for each request. */
  receiverFor(stream: H2Stream): StreamReceiver
  /** It is over: the peer broke the rules, or a limit was reached. What is to be said was written. */
  onFailed(code: number, details: string): void
  /** The peer takes no new streams; those above its last one are reset as unprocessed. */
  onGoaway(code: number, details: string): void
  /** No stream is open any more, or one fewer than the peer's limit. */
  onStreamClosed(): void
  /** A limit was reached. */
  onLimit(name: H2LimitName): void
  /** A message was refused, for the reason of that name (http/refusal.ts). */
  onRefused(reason: string): void
}

export class H2Connection {
  /** Writes the head of a message; the next of whatever stream begins anew. */
  readonly heads: HeadEncoder
  readonly limits: H2Limits
  /** The most streams that the peer lets us open. */
  peerStreams: number = Number.POSITIVE_INFINITY
  /** Streams that are open, or whose work is not over. */
  open = 0

  constructor(
    _role: 'client' | 'server',
    heads: HeadEncoder,
    limits: H2Limits,
    _sink: H2Sink,
    _owner: H2Owner,
  ) {
    this.heads = heads
    this.limits = limits
  }

  /** Sends what begins a connection: the preface on a client's side, and SETTINGS. */
  start(): void {
    throw new Error('to be written')
  }

  /** Takes all bytes of one read. */
  read(_bytes: Buffer): void {
    throw new Error('to be written')
  }

  /** The turn is over: everything that was written in it leaves in one write. */
  flush(): void {
    throw new Error('to be written')
  }

  /** The sink takes bytes again. */
  drained(): void {
    throw new Error('to be written')
  }

  /** Whether a new stream may be opened now. */
  get hasRoom(): boolean {
    throw new Error('to be written')
  }

  /** Opens a stream for a request. Only while it `hasRoom`. */
  openStream(_receiver: StreamReceiver): H2Stream {
    throw new Error('to be written')
  }

  /** No new streams: says so to the peer, in two steps on a server's side (RFC 9113 section 6.8). */
  drain(): void {
    throw new Error('to be written')
  }

  /** All bytes of the connection are lost; every stream is reset with that. */
  lost(_details: string): void {
    throw new Error('to be written')
  }

  /** Ends it now, saying why. */
  fail(_code: number, _details: string): void {
    throw new Error('to be written')
  }

  /** Once a second. */
  sweep(_now: Millis): void {
    throw new Error('to be written')
  }
}
