// One stream of an HTTP/2 connection (RFC 9113 section 5): its state, its two windows, what of its bodies waits.
//
// Bytes that are received lie in the connection's read buffer until `giveTo`; what nobody took when the read is over is
// copied, bounded by the window, which grows again only for what was `consumed`. Bytes to send go into the connection's
// output as far as both windows and the kernel let them; the rest is copied and queued. What messages mean is left to
// the receiver.

import type { Head } from '../head.ts'
import type { SliceTaker, SliceTap } from '../slices.ts'
import type { H2Connection } from './h2-connection.ts'
import type { StreamReceiver } from './stream-receiver.ts'

export class H2Stream {
  id = 0
  readonly connection: H2Connection
  /** For a server kept from one request to the next one that uses this object. */
  receiver: StreamReceiver
  /** The head that was received last; its bytes stay as they are until the stream is released. */
  readonly head: Head
  /** What followed the body; undefined if nothing did, or has yet. */
  trailers: Head | undefined
  /** The peer has sent, and we have queued, everything. */
  remoteEnded = false
  localEnded = false

  constructor(connection: H2Connection, receiver: StreamReceiver, head: Head) {
    this.connection = connection
    this.receiver = receiver
    this.head = head
    this.trailers = undefined
  }

  /** Hands on the bytes of the body that are there. They stay as they are until `consumed` is called. */
  giveTo(_taker: SliceTaker, _tap?: SliceTap): void {
    throw new Error('to be written')
  }

  /** What was given is passed on: the peer may send as much again. */
  consumed(): void {
    throw new Error('to be written')
  }

  /** Nothing is queued: what is written now leaves in this turn. */
  get isWritable(): boolean {
    throw new Error('to be written')
  }

  /** Sends the head that was begun with `connection.heads`; `isEnd` if nothing follows it. */
  sendHead(_isEnd: boolean): void {
    throw new Error('to be written')
  }

  /** Sends bytes of the body; those that cannot leave yet are copied. */
  sendData(_bytes: Buffer, _start: number, _end: number): void {
    throw new Error('to be written')
  }

  /** Ends our message, after everything that is queued. */
  sendEnd(): void {
    throw new Error('to be written')
  }

  /** Sends the trailers that were begun with `connection.heads`, after everything that is queued, and ends our message. */
  sendTrailers(): void {
    throw new Error('to be written')
  }

  /** Ends it at once for both sides; `receiver` is not told. Nothing happens if it is over. */
  reset(_code: number): void {
    throw new Error('to be written')
  }

  /** The receiver is done with it and hears nothing more. What is queued still leaves. */
  release(): void {
    throw new Error('to be written')
  }
}
