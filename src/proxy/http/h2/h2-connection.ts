// One HTTP/2 connection (RFC 9113), of a client or a server: bytes in, bytes out, and streams in between.
//
// It knows no socket: what it writes goes to a sink, once a turn. What a received frame means is found out in
// frame-receiver.ts, and in h2-control.ts if it is about the connection itself; what waits to be sent and received is
// kept in outflow.ts and inflow.ts. What requests and responses lead to is left to the receivers of the streams, what
// becomes of the connection to its owner.

import type { Millis } from '../../../lib/duration.ts'
import { Closing } from './closed-streams.ts'
import { FloodGuard } from './flood-guard.ts'
import { FrameReader } from './frame-reader.ts'
import { FrameReceiver } from './frame-receiver.ts'
import { H2Control } from './h2-control.ts'
import type { H2LimitName, H2Limits } from './h2-limits.ts'
import { H2Output, type OutputSink } from './h2-output.ts'
import { H2Stream } from './h2-stream.ts'
import type { HeadEncoder } from './head-encoder.ts'
import { Inflow } from './inflow.ts'
import { Outflow } from './outflow.ts'
import { Flag, FrameType, H2Error, h2ErrorName } from './protocol.ts'
import type { Role } from './settings.ts'
import type { StreamReceiver } from './stream-receiver.ts'
import { StreamTable } from './stream-table.ts'

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
  /** The peer takes no new streams; those above its last one were reset as unprocessed. */
  onGoaway(code: number, details: string): void
  /** A stream is over, the peer's limit was raised, or the end of a drain was said: there may be room, or none left. */
  onRoom(): void
  /** A limit was reached. */
  onLimit(name: H2LimitName): void
  /** A message was refused, for the reason of that name (http/refusal.ts). */
  onRefused(reason: string): void
  /** RST_STREAM with that code. */
  onReset(code: number, isOurs: boolean): void
}

/** Heads, which no window holds back, that wait for a peer that asks for more of them and does not read. */
const MOST_WAITING = 4 * 1024 * 1024
const LARGEST_ID = 0x7fff_ffff
/** What a client takes for the limit before it was told (as section 6.5.2 recommends at least). */
const PRESUMED_STREAMS = 100

export class H2Connection implements OutputSink {
  readonly role: Role
  /** Writes the head of a message; the next of whatever stream begins anew. */
  readonly heads: HeadEncoder
  readonly limits: H2Limits
  readonly output: H2Output
  readonly outflow: Outflow
  readonly inflow: Inflow
  readonly control: H2Control
  /** The most streams that the peer lets us open. */
  peerStreams: number
  /** The id of the next stream that we open. */
  nextId = 1
  /** Seconds that it has been swept. */
  sweeps = 0
  isOver = false
  readonly #sink: H2Sink
  readonly #owner: H2Owner
  readonly #reader: FrameReader
  readonly #receiver: FrameReceiver
  readonly #guard: FloodGuard
  readonly #table: StreamTable
  #sweptAt: Millis = NaN

  constructor(role: Role, heads: HeadEncoder, limits: H2Limits, sink: H2Sink, owner: H2Owner) {
    this.role = role
    this.heads = heads
    this.limits = limits
    this.#sink = sink
    this.#owner = owner
    this.peerStreams = role === 'client' ? PRESUMED_STREAMS : 0
    this.output = new H2Output(this)
    this.outflow = new Outflow(this.output)
    this.inflow = new Inflow(this.output, limits.connectionWindow)
    this.#guard = new FloodGuard(limits)
    this.#table = new StreamTable()
    this.#receiver = new FrameReceiver(this, owner, this.#table, this.#guard)
    this.#reader = new FrameReader(this.#receiver)
    this.control = new H2Control(this, this.#receiver.decoder)
  }

  /** Sends what begins a connection: the preface on a client's side, and SETTINGS. */
  start(): void {
    this.control.start()
    this.inflow.start()
  }

  /** Takes all bytes of one read. */
  read(bytes: Buffer): void {
    if (this.isOver) return
    const at = this.control.readPreface(bytes)
    if (at < 0) {
      this.fail(H2Error.protocol, 'no preface')
      return
    }
    const error = this.#reader.read(bytes, at, bytes.length)
    if (error !== H2Error.none) this.fail(error, 'a frame that may not be')
    this.#receiver.settle()
    const { isClogged, waiting, controlBytes } = this.output
    const isUnread = isClogged && waiting > MOST_WAITING
    if (isUnread || controlBytes > this.limits.maxControlQueue) this.limit('control-queue')
  }

  /** The turn is over: everything that was written in it leaves in one write. */
  flush(): void {
    this.output.flush()
  }

  /** The sink takes bytes again. */
  drained(): void {
    this.output.drained()
    this.outflow.serve()
    this.output.flush()
  }

  /** The output has something to flush. */
  pending(): void {
    this.#sink.schedule(this)
  }

  write(bytes: Buffer): boolean {
    return this.#sink.write(bytes)
  }

  leaveRead(): void {
    this.#sink.leaveRead()
  }

  /** Streams that are open, or whose work is not over. */
  get open(): number {
    return this.#table.open
  }

  get lastPeerId(): number {
    return this.#receiver.lastPeerId
  }

  /** Whether new streams may be opened at all. */
  get takesMore(): boolean {
    const { isDraining, isPeerDraining } = this.control
    return !this.isOver && !isDraining && !isPeerDraining && this.nextId <= LARGEST_ID
  }

  /** Whether one may be opened now. */
  get hasRoom(): boolean {
    return this.#table.open < this.peerStreams && this.takesMore
  }

  /** Nothing is open any more on a connection that takes no new streams. */
  get isDone(): boolean {
    const { isDrained, isPeerDraining } = this.control
    return this.#table.open === 0 && (isDrained || (isPeerDraining && this.role === 'client'))
  }

  /** Opens a stream for a request, while it `hasRoom`. `asked` is what of it matters to its response. */
  openStream(receiver: StreamReceiver, asked: number): H2Stream {
    const stream = this.#table.takeSpare() ?? new H2Stream(this)
    stream.receiver = receiver
    stream.asked = asked
    stream.begin(this.nextId, this.outflow.initialWindow, this.control.ownWindow)
    stream.bornAt = this.sweeps
    this.nextId += 2
    this.#table.add(stream)
    return stream
  }

  /** No new streams: says so to the peer, in two steps on a server's side (RFC 9113 section 6.8). */
  drain(): void {
    if (!this.isOver) this.control.drain()
  }

  /** The socket is gone: every stream is reset with that. */
  lost(details: string): void {
    if (!this.isOver) this.#end(H2Error.none, details)
  }

  /** Ends it now, saying why. What was written so far is on its way when the owner is told. */
  fail(code: number, details: string): void {
    if (this.isOver) return
    this.control.sayGoaway(code, details)
    this.output.flush()
    this.#end(code, details)
    this.#owner.onFailed(code, details)
  }

  /** A limit of ours is reached. */
  limit(name: H2LimitName, code: number = H2Error.enhanceYourCalm): void {
    if (this.isOver) return
    this.#owner.onLimit(name)
    this.fail(code, name)
  }

  /** Once a second. */
  sweep(now: Millis): void {
    if (this.isOver) return
    const passed = Number.isNaN(this.#sweptAt) ? 0 : now - this.#sweptAt
    this.#sweptAt = now
    this.sweeps += 1
    this.#guard.sweep()
    this.control.sweep(now, this.#table.open > 0)
    for (const stream of this.#table.all()) {
      if (!stream.isStalled(this.limits.stallTimeout, passed)) continue
      this.#owner.onLimit('stalled-stream')
      this.#receiver.refuse(stream, H2Error.enhanceYourCalm, 'stalled-stream')
    }
    if (this.#table.open > 0) return
    this.output.rest()
    this.heads.rest()
    this.#table.rest()
  }

  /** The peer takes no streams above `last`, and has not looked at those it got. */
  peerDrains(last: number, code: number, said: string): void {
    const details = `GOAWAY ${h2ErrorName(code)}${said === '' ? '' : `: ${said}`}`
    for (const stream of this.#table.all()) {
      if (stream.id <= last || this.role === 'server') continue
      stream.end({ code, by: 'peer', isUnprocessed: true, details })
    }
    this.#owner.onGoaway(code, details)
  }

  /** What streams may send at first has changed, for those that are open too. False if a window gets too large. */
  peerWindow(size: number): boolean {
    const delta = size - this.outflow.initialWindow
    this.outflow.initialWindow = size
    for (const stream of this.#table.all()) if (!stream.widen(delta)) return false
    return true
  }

  /** What streams may receive at first has changed. */
  widenOwn(delta: number): void {
    for (const stream of this.#table.all()) stream.receiveWindow += delta
  }

  roomMade(): void {
    this.#owner.onRoom()
  }

  /** Writes the block that `heads` holds. False if it is unsound: then nothing was written. */
  sendBlock(id: number, isEnd: boolean): boolean {
    const { heads, output } = this
    if (!heads.finish()) return false
    const { block, length } = heads
    const most = this.outflow.frameSize
    const ends = isEnd ? Flag.endStream : 0
    const first = Math.min(length, most)
    output.frame(FrameType.headers, first === length ? ends | Flag.endHeaders : ends, id, first)
    output.put(block, 0, first)
    for (let at = first; at < length; at += most) {
      const end = Math.min(length, at + most)
      output.frame(FrameType.continuation, end === length ? Flag.endHeaders : 0, id, end - at)
      output.put(block, at, end)
    }
    this.#guard.useful()
    output.relieve()
    return true
  }

  /** A frame of DATA leaves. The peer may answer it with a WINDOW_UPDATE for the stream and one for the connection. */
  sentData(): void {
    this.#guard.useful()
    this.#guard.useful()
  }

  sendReset(id: number, code: number): void {
    this.output.frame(FrameType.rstStream, 0, id, 4)
    this.output.number(code)
    this.output.countControl(4)
    this.#table.closed.add(id, Closing.byUs)
    this.#owner.onReset(code, true)
  }

  /** The wire is done with a stream. */
  streamClosed(stream: H2Stream): void {
    if (this.#table.remove(stream) && stream.isReleased) this.#recycle(stream)
  }

  /** Its receiver is. */
  streamReleased(stream: H2Stream): void {
    if (stream.isClosed) this.#recycle(stream)
  }

  #recycle(stream: H2Stream): void {
    this.#table.recycle(stream)
    if (!this.isOver) this.#owner.onRoom()
  }

  #end(code: number, details: string): void {
    this.isOver = true
    this.inflow.isOver = true
    this.#reader.isStopped = true
    for (const stream of this.#table.all()) {
      stream.end({ code, by: 'connection', isUnprocessed: false, details })
    }
  }
}
