// An HTTP/2 stream as a connection (RFC 9113 section 8.5): so that whoever joins two connections need not know which
// of them is a stream of another.
//
// DATA is what is read and written, END_STREAM is the FIN, RST_STREAM the reset. The window grows only for what was
// passed on. As with a socket nothing is told in the middle of a call, but for the end of writing. Once closed, the
// stream is back with the receiver that it had before, and released.

import type { SocketAddress } from '../../lib/address.ts'
import type { H2Stream } from '../http/h2/h2-stream.ts'
import { H2Error } from '../http/h2/protocol.ts'
import type { StreamReceiver, StreamReset } from '../http/h2/stream-receiver.ts'
import type { SliceTaker } from '../http/slices.ts'
import {
  type Connection,
  FAILED,
  NO_RECEIVER,
  PENDING,
  type Receiver,
  WRITTEN,
  type WriteResult,
} from '../net/connection.ts'

export class StreamConnection implements Connection, StreamReceiver, SliceTaker {
  receiver: Receiver = NO_RECEIVER
  readonly fd: number = -1
  readonly #stream: H2Stream
  readonly #before: StreamReceiver
  readonly #carrier: Pick<Connection, 'remote' | 'local'> | undefined
  readonly #resetCode: number
  /** Given by the stream and not taken yet: it stays where it is until it is consumed. */
  readonly #held: Buffer[] = []
  #isReading = false
  /** To be looked at in a later turn. */
  #isDue = false
  #isGiving = false
  #endTold = false
  #isPending = false
  #isEnding = false
  #endSent = false
  #isClosed = false

  /**
   * Takes over a stream whose head is through. `resetCode` is what a reset from this side says; `carrier` is the
   * connection that it is a stream of.
   */
  constructor(
    stream: H2Stream,
    resetCode: number = H2Error.cancel,
    carrier?: Pick<Connection, 'remote' | 'local'>,
  ) {
    this.#stream = stream
    this.#before = stream.receiver
    this.#resetCode = resetCode
    this.#carrier = carrier
    stream.receiver = this
  }

  remote(): SocketAddress | undefined {
    return this.#isClosed ? undefined : this.#carrier?.remote()
  }

  local(): SocketAddress | undefined {
    return this.#isClosed ? undefined : this.#carrier?.local()
  }

  readStart(): void {
    if (this.#isClosed || this.#isReading) return
    this.#isReading = true
    // What is there already comes as a read does: not before this returns.
    if (this.#isDue || this.#isGiving) return
    this.#isDue = true
    setImmediate(give, this)
  }

  readStop(): void {
    this.#isReading = false
  }

  leave(): void {
    this.#stream.connection.leaveRead()
  }

  write(chunk: Uint8Array): WriteResult {
    if (this.#isClosed || this.#isEnding) return FAILED
    const bytes = Buffer.isBuffer(chunk)
      ? chunk
      : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    this.#stream.sendData(bytes, 0, bytes.length)
    if (this.#stream.isWritable) return WRITTEN
    // A copy of it waits: the chunk itself is free, but no more is wanted.
    this.#isPending = true
    return PENDING
  }

  end(): void {
    if (this.#isClosed || this.#isEnding) return
    this.#isEnding = true
    this.#sendEndIfDue()
  }

  /** Of a stream's reset one hears without reading. */
  isGone(): boolean {
    return false
  }

  rest(): void {
    // What memory a stream has is the connection's.
  }

  close(): void {
    if (this.#isClosed) return
    if (!this.#endSent && !this.#isPending) this.#stream.sendEnd()
    const isWhole = this.#stream.localEnded && this.#stream.remoteEnded
    // Our message is through, and the rest of theirs is not wanted (RFC 9113 section 8.1).
    if (!isWhole) this.#stream.reset(this.#stream.localEnded ? H2Error.none : H2Error.cancel)
    this.#release()
  }

  reset(): void {
    if (this.#isClosed) return
    this.#stream.reset(this.#resetCode)
    this.#release()
  }

  onHead(): void {
    // There is none behind the one that opened the tunnel.
  }

  onRead(): void {
    // Otherwise it waits in the stream, bounded by the window.
    if (this.#isReading && !this.#isDue) this.#give()
  }

  onWritable(): void {
    if (this.#isPending) {
      this.#isPending = false
      this.receiver.onDrain(this)
    }
    // With that it may have been ended, or written to again.
    this.#sendEndIfDue()
  }

  onReset(_: H2Stream, reset: StreamReset): void {
    if (this.#isClosed) return
    const { receiver } = this
    this.#release()
    receiver.onError(this, reset.details)
  }

  /** Of the stream: a piece of what there is. */
  body(bytes: Buffer, start: number, end: number): void {
    const isAll = start === 0 && end === bytes.length
    const piece = isAll ? bytes : bytes.subarray(start, end)
    if (this.#isReading && this.#held.length === 0) this.receiver.onData(this, piece)
    else if (!this.#isClosed) this.#held.push(piece)
  }

  /** It was asked to read: tells what there is. */
  giveDue(): void {
    this.#isDue = false
    if (this.#isReading) this.#give()
  }

  #give(): void {
    if (this.#isGiving) return
    this.#isGiving = true
    this.#giveAll()
    this.#isGiving = false
  }

  #giveAll(): void {
    const stream = this.#stream
    while (this.#isReading) {
      const piece = this.#held.shift()
      if (piece === undefined) {
        // All that was given before has been passed on, or reading would have been stopped.
        stream.consumed()
        if (stream.unread === 0) break
        stream.giveTo(this)
      } else {
        this.receiver.onData(this, piece)
      }
    }
    if (!this.#isReading || !stream.remoteEnded || this.#endTold) return
    this.#endTold = true
    this.receiver.onEnd(this)
  }

  #sendEndIfDue(): void {
    if (!this.#isEnding || this.#endSent || this.#isPending || this.#isClosed) return
    this.#endSent = true
    this.#stream.sendEnd()
    this.receiver.onFinished(this)
  }

  #release(): void {
    this.#isClosed = true
    this.#isReading = false
    this.receiver = NO_RECEIVER
    this.#held.length = 0
    this.#stream.receiver = this.#before
    this.#stream.release()
  }
}

function give(connection: StreamConnection): void {
  connection.giveDue()
}
