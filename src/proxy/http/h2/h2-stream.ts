// One stream of an HTTP/2 connection (RFC 9113 section 5): its state, its two windows, what of its bodies waits.
//
// Bytes that are received lie in the connection's read buffer until `giveTo`; what nobody took when the read is over is
// copied, bounded by the window, which grows again only for what was `consumed`. Bytes to send go into the connection's
// output as far as both windows and the kernel let them; the rest is copied and queued. What messages mean is left to
// the receiver.

import { Head } from '../head.ts'
import { Method } from '../method.ts'
import type { SliceTaker, SliceTap } from '../slices.ts'
import type { H2Connection } from './h2-connection.ts'
import { restHead } from './head-text.ts'
import { creditWindow } from './inflow.ts'
import { Intake } from './intake.ts'
import type { Sender } from './outflow.ts'
import { Flag, FrameType, MOST_WINDOW } from './protocol.ts'
import { NO_RECEIVER, type StreamReceiver, type StreamReset } from './stream-receiver.ts'

/** A window that a peer opens by less than this in the whole time is as good as closed. */
const LEAST_PROGRESS = 1024

/** Drops what it is given. */
const NOBODY: SliceTaker = { body: () => undefined }

export class H2Stream implements Sender {
  id = 0
  readonly connection: H2Connection
  /** For a server kept from one request to the next one that uses this object. */
  receiver: StreamReceiver
  /** The head that was received last; its bytes stay as they are until the stream is released. */
  readonly head: Head = new Head()
  /** What followed the body; undefined if nothing did, or has yet. */
  trailers: Head | undefined
  /** The peer has sent, and we have queued, everything. */
  remoteEnded = false
  localEnded = false
  /** Over on the wire, in order or by a reset: nothing is sent any more. What was received may still be given. */
  isClosed = false
  /** Over before its time, and nothing is given any more either. */
  isReset = false
  isReleased = false
  /** On a server's side the request's head has come, on a client's the response's: what may follow is trailers. */
  hasHead = false
  /** Bytes of the interim responses that came. */
  heard = 0
  /** Something of ours has left: the peer knows of it if it did not open it itself. */
  hasSent = false
  /** What of the request matters to its response (h1/response-rules.ts); only on a client's side. */
  asked = 0
  /** When it began, by the sweeps of the connection. */
  bornAt = 0
  /** Received something in this read. */
  isTouched = false
  isWaiting = false
  /** Bytes of DATA that the peer takes, and that we take: either may be negative for a while (section 6.9.2). */
  sendWindow = 0
  receiveWindow = 0
  readonly #intake: Intake = new Intake()
  #uncredited = 0
  readonly #queue: Buffer[] = []
  #queueAt = 0
  #queued = 0
  /** What follows the queue. */
  #endQueued = false
  #trailersQueued: Head | undefined
  #linesQueued: Buffer | undefined
  /** For the limit on windows that hardly move. */
  #stalledFor = 0
  #moved = 0
  #trailerHead: Head | undefined

  constructor(connection: H2Connection) {
    this.connection = connection
    this.receiver = NO_RECEIVER
    this.trailers = undefined
    this.#trailersQueued = undefined
    this.#linesQueued = undefined
    this.#trailerHead = undefined
  }

  /** For the next stream that uses this object. */
  begin(id: number, sendWindow: number, receiveWindow: number): void {
    this.id = id
    this.trailers = undefined
    this.remoteEnded = false
    this.localEnded = false
    this.isClosed = false
    this.isReset = false
    this.isReleased = false
    this.isTouched = false
    this.hasHead = false
    this.heard = 0
    this.hasSent = false
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
    this.#intake.begin()
    this.#uncredited = 0
    this.#endQueued = false
    this.#trailersQueued = undefined
    this.#linesQueued = undefined
    this.#stalledFor = 0
    this.#moved = 0
  }

  /** Everybody is done with it: what large heads took is given back. */
  rest(): void {
    restHead(this.head)
    if (this.#trailerHead !== undefined) restHead(this.#trailerHead)
  }

  /** Where trailers are read into. */
  get trailerHead(): Head {
    this.#trailerHead ??= new Head()
    return this.#trailerHead
  }

  /** The head is accepted: says how long the body is. */
  expectBody(): void {
    // Section 8.5: what follows a CONNECT is no body, and as long as it likes.
    if (this.connection.role === 'server' && this.head.method === Method.connect) return
    this.#intake.expect(this.head)
  }

  /** Bytes of DATA. False if there are more than Content-Length has (RFC 9113 section 8.1.1). */
  take(bytes: Buffer, start: number, end: number): boolean {
    return this.#intake.take(bytes, start, end)
  }

  /** Whether the body may end here. */
  get isComplete(): boolean {
    return this.#intake.isComplete
  }

  /** Whether a body that was not ended has all that its head speaks of. */
  get isWhole(): boolean {
    return this.hasHead && !this.remoteEnded && this.#intake.isWhole
  }

  /** Bytes came that nobody gets: padding, or those of a message that was refused. */
  waste(length: number): void {
    this.#uncredited += length
  }

  /** Hands on the bytes of the body that are there. They stay as they are until `consumed` or `copied` is called. */
  giveTo(taker: SliceTaker, tap?: SliceTap): void {
    this.#intake.giveTo(taker, tap)
  }

  /** Bytes that were received and are still to be given. */
  get unread(): number {
    return this.#intake.unread
  }

  /** What was given is passed on: the peer may send as much again. */
  consumed(): void {
    const given = this.#intake.consumed()
    if (given === 0) return
    this.#unpark(this.#intake.unpark())
    this.#uncredited += given
    this.credit()
  }

  /** Whoever was given it has copied what could not leave: it need not stay where it is, but is still in our memory. */
  copied(): void {
    this.connection.inflow.parked += this.#intake.copied()
  }

  /** What was given in this read is not passed on yet and lies where it was read: that must stay as it is. */
  holdRead(): void {
    if (!this.#intake.isInRead) return
    this.#intake.isInRead = false
    this.connection.leaveRead()
  }

  /** Tells the peer, when it is worth a frame, how much more it may send. */
  credit(): void {
    if (
      this.remoteEnded ||
      this.isClosed ||
      this.#uncredited * 2 < this.connection.limits.streamWindow
    )
      return
    this.receiveWindow += this.#uncredited
    creditWindow(this.connection.output, this.id, this.#uncredited)
    this.#uncredited = 0
  }

  /** The read is over: what nobody took is copied. */
  park(): void {
    if (this.#intake.unread === 0) return
    if (this.isReleased || this.isReset) this.#unpark(this.#intake.drop())
    else this.connection.inflow.parked += this.#intake.park()
  }

  /** Nothing is queued: what is written now leaves as soon as the connection lets it. */
  get isWritable(): boolean {
    return this.#queued === 0
  }

  /** Sends the head that was begun with `connection.heads`; `isEnd` if nothing follows it. False if it is unsound. */
  sendHead(isEnd: boolean): boolean {
    if (this.isClosed || this.localEnded) return false
    if (!this.connection.sendBlock(this.id, isEnd)) return false
    this.hasSent = true
    if (isEnd) this.#ended()
    return true
  }

  /** Sends bytes of the body; those that cannot leave yet are copied. */
  sendData(bytes: Buffer, start: number, end: number): void {
    if (this.isClosed || this.localEnded || this.#endQueued) return
    let at = start
    if (this.#queued === 0) at = this.#frames(bytes, start, end)
    if (at === end) return
    this.#queue.push(Buffer.from(bytes.subarray(at, end)))
    this.#queued += end - at
    if (this.sendWindow > 0) this.connection.outflow.wait(this)
  }

  /** Ends our message, after everything that is queued. */
  sendEnd(): void {
    if (this.isClosed || this.localEnded || this.#endQueued) return
    if (this.#queued > 0) {
      this.#endQueued = true
      return
    }
    const { output } = this.connection
    if (!output.endLast(this.id)) output.frame(FrameType.data, Flag.endStream, this.id, 0)
    this.#ended()
  }

  /** Sends trailers, after everything that is queued, and ends our message: a head's fields, lines of ours, or both. */
  sendTrailers(fields: Head | undefined, lines: Buffer | undefined): void {
    if (this.isClosed || this.localEnded || this.#endQueued) return
    if (this.#queued > 0) {
      // Compression goes by the order in which blocks leave, so that they are written only then.
      this.#endQueued = true
      this.#trailersQueued = fields?.copy()
      this.#linesQueued = lines
      return
    }
    this.#writeTrailers(fields, lines)
  }

  sendTurn(): boolean {
    const piece = this.#queue[0]
    if (piece === undefined || this.isClosed) return false
    const end = Math.min(piece.length, this.#queueAt + this.connection.outflow.frameSize)
    const at = this.#frames(piece, this.#queueAt, end)
    this.#queued -= at - this.#queueAt
    this.#queueAt = at
    if (at === piece.length) {
      this.#queue.shift()
      this.#queueAt = 0
    }
    if (this.#queued > 0) return this.sendWindow > 0
    this.#stalledFor = 0
    this.#moved = 0
    // As in `end`: it may begin anew when its message has ended.
    const { isReleased } = this
    if (this.#endQueued) {
      this.#endQueued = false
      if (this.#trailersQueued === undefined && this.#linesQueued === undefined) this.sendEnd()
      else this.#writeTrailers(this.#trailersQueued, this.#linesQueued)
    }
    if (!isReleased) this.receiver.onWritable(this)
    return false
  }

  /** The peer takes more, or less. False if that is more than there can be (section 6.9.1). To be served by the caller. */
  widen(increment: number): boolean {
    this.sendWindow += increment
    if (this.sendWindow > MOST_WINDOW) return false
    if (this.#queued > 0 && this.sendWindow > 0) this.connection.outflow.wait(this)
    return true
  }

  /** Ends it at once for both sides; `receiver` is not told. Nothing happens if it is over. */
  reset(code: number): void {
    if (this.isClosed) return
    // A stream that the peer has never heard of is idle to it: section 6.4.
    if (this.hasSent || this.connection.role === 'server') this.connection.sendReset(this.id, code)
    this.drop(false)
  }

  /** The receiver is done with it and hears nothing more. What is queued still leaves. */
  release(): void {
    if (this.isReleased) return
    this.isReleased = true
    // What is still there belongs to nobody; what was given may still be on its way.
    this.holdRead()
    this.giveTo(NOBODY)
    this.consumed()
    this.connection.streamReleased(this)
  }

  /** Over, and the receiver hears why. What came before a server ended it, or its connection did, can still be taken. */
  end(reset: StreamReset): void {
    if (this.isClosed) return
    // With that the object may carry another stream already, whose receiver is not meant.
    const { isReleased } = this
    this.drop(this.hasHead && this.connection.role === 'client' && reset.by !== 'us')
    if (!isReleased) this.receiver.onReset(this, reset)
  }

  /** Drops what waits in either direction, but for what was received if that is to be kept, or whole (section 8.1). */
  drop(keeps: boolean): void {
    this.isClosed = true
    this.connection.outflow.forget(this)
    this.#queue.length = 0
    this.#queueAt = 0
    this.#queued = 0
    this.#endQueued = false
    if (!this.remoteEnded && !keeps) {
      this.isReset = true
      this.#unpark(this.#intake.drop())
    }
    this.connection.streamClosed(this)
  }

  /** The peer has ended its message. */
  remoteEnd(): void {
    this.remoteEnded = true
    this.#look()
  }

  /** Once a second. True if its peer has held back its window for too long. */
  isStalled(timeout: number, passed: number): boolean {
    if (this.#queued === 0 || timeout === 0) return false
    this.#stalledFor += passed
    if (this.#moved >= LEAST_PROGRESS) {
      this.#moved = 0
      this.#stalledFor = 0
    }
    return this.#stalledFor >= timeout
  }

  /** As many frames as both windows and the kernel take. Gives the position after what they hold. */
  #frames(bytes: Buffer, start: number, end: number): number {
    const { outflow, output } = this.connection
    let at = start
    while (at < end) {
      const size = Math.min(end - at, this.sendWindow, outflow.room)
      if (size <= 0) break
      output.frame(FrameType.data, 0, this.id, size)
      output.put(bytes, at, at + size)
      at += size
      this.sendWindow -= size
      outflow.window -= size
      this.#moved += size
      this.connection.sentData()
      output.relieve()
    }
    return at
  }

  #writeTrailers(fields: Head | undefined, lines: Buffer | undefined): void {
    const { heads } = this.connection
    heads.trailers(fields)
    if (lines !== undefined) heads.addLines(lines)
    if (this.connection.sendBlock(this.id, true)) this.#ended()
    else this.sendEnd()
  }

  #ended(): void {
    this.localEnded = true
    this.#look()
  }

  #look(): void {
    if (!this.localEnded || !this.remoteEnded || this.isClosed) return
    this.isClosed = true
    this.connection.streamClosed(this)
  }

  #unpark(length: number): void {
    if (length === 0) return
    const { inflow } = this.connection
    inflow.parked -= length
    inflow.settle()
  }
}
