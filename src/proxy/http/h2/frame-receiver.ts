// What each frame that is received means for its stream: who may send it in which state (RFC 9113 section 5.1), heads
// and trailers with what they are made of (section 8), bodies within their windows.
//
// A mistake of one stream ends that stream, unless the RFC has it end the connection. Frames about the connection are
// handed to h2-control.ts. Whatever a read brings is told to the receivers when all of it was looked at.

import { Refusal, refusalName } from '../refusal.ts'
import { BlockReader, dependency } from './block-reader.ts'
import { Closing } from './closed-streams.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { FrameTaker } from './frame-reader.ts'
import { frameError } from './frame-rules.ts'
import type { H2Connection, H2Owner } from './h2-connection.ts'
import type { H2LimitName } from './h2-limits.ts'
import { H2Stream } from './h2-stream.ts'
import { HeadBuilder } from './head-builder.ts'
import type { FieldSink } from './hpack/header-field.ts'
import { Decoded, HpackDecoder } from './hpack/hpack-decoder.ts'
import { Flag, FrameType, H2Error, h2ErrorName, MOST_WINDOW } from './protocol.ts'
import type { StreamTable } from './stream-table.ts'

/** Takes no field: such a block is read only because compression goes on with it. */
const NO_FIELDS: FieldSink = { field: () => undefined }

export class FrameReceiver implements FrameTaker {
  readonly decoder: HpackDecoder
  /** The last stream that the peer has opened. */
  lastPeerId = 0
  readonly #connection: H2Connection
  readonly #owner: H2Owner
  readonly #table: StreamTable
  readonly #guard: FloodGuard
  readonly #builder: HeadBuilder
  readonly #block: BlockReader
  /** Whose DATA is being read; of its payload, what was not handed out yet. */
  #reading: H2Stream | undefined
  #readingId = 0
  #length = 0
  #unhanded = 0
  /** The last block had more fields, or larger ones, than were handed out. */
  #isCut = false

  constructor(connection: H2Connection, owner: H2Owner, table: StreamTable, guard: FloodGuard) {
    const { limits } = connection
    this.#connection = connection
    this.#owner = owner
    this.#table = table
    this.#guard = guard
    this.decoder = new HpackDecoder(limits.headerTableSize, limits)
    this.#builder = new HeadBuilder(limits)
    this.#block = new BlockReader(limits)
    this.#reading = undefined
  }

  frameHead(type: number, flags: number, id: number, length: number): H2Error {
    const isSettings = type === FrameType.settings && (flags & Flag.ack) === 0
    // Section 3.4: it is what each side begins with.
    if (!this.#connection.control.isGreeted && !isSettings) return H2Error.protocol
    // Section 6.10: nothing may come between the frames of a header block, and no such frame elsewhere.
    const isWithin = this.#block.id !== 0
    if (isWithin !== (type === FrameType.continuation)) return H2Error.protocol
    if (isWithin && id !== this.#block.id) return H2Error.protocol
    const error = frameError(type, flags, id, length)
    return error === H2Error.none && type === FrameType.data ? this.#dataHead(id, length) : error
  }

  dataPiece(bytes: Buffer, start: number, end: number): void {
    this.#unhanded -= end - start
    const stream = this.#readingNow
    if (stream === undefined) return
    // A frame may go on in a later read than its head came in.
    this.#table.touch(stream)
    if (stream.take(bytes, start, end)) return
    this.#reading = undefined
    this.#refuseMessage(stream, Refusal.lengthMismatch)
  }

  dataEnd(flags: number): void {
    if (this.#unhanded < this.#length) this.#guard.useful()
    else if ((flags & Flag.endStream) === 0 && this.#isNuisance()) return
    const stream = this.#readingNow
    this.#reading = undefined
    if (stream === undefined) return
    this.#table.touch(stream)
    // Padding, which nobody gets.
    if (this.#unhanded > 0) stream.waste(this.#unhanded)
    if ((flags & Flag.endStream) === 0) stream.credit()
    else if (stream.isComplete) stream.remoteEnd()
    else this.#refuseMessage(stream, Refusal.lengthMismatch)
  }

  payload(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    switch (type) {
      case FrameType.headers: {
        const error = this.#block.headers(flags, id, bytes, start, end)
        if (error !== H2Error.none) this.#connection.fail(error, 'HEADERS')
        else if (this.#block.id === 0) this.#readBlock(id)
        return
      }
      case FrameType.continuation: {
        const limit = this.#block.continuation(flags, bytes, start, end)
        if (limit !== undefined) this.#connection.limit(limit)
        else if (this.#block.id === 0) this.#readBlock(id)
        return
      }
      case FrameType.rstStream:
        this.#onReset(id, bytes.readUInt32BE(start))
        return
      case FrameType.windowUpdate:
        this.#onWindow(id, bytes.readUInt32BE(start) & MOST_WINDOW)
        return
      default:
        if (type === FrameType.settings && (flags & Flag.ack) === 0) {
          if (this.#isOver(this.#guard.settings(this.#table.open))) return
        } else if (this.#isNuisance()) return
        if (type === FrameType.priority) this.#onPriority(id, bytes, start, end)
        else this.#connection.control.payload(type, flags, bytes, start, end)
    }
  }

  /** The read is over: what it brought is handed on, what nobody takes now is copied. */
  settle(): void {
    const { touched } = this.#table
    // A receiver may end any of the streams.
    for (let at = 0; at < touched.length; at++) {
      const stream = touched[at]!
      // It may carry another stream by now.
      if (!stream.isTouched) continue
      stream.isTouched = false
      if (!stream.isReleased && !stream.isReset) stream.receiver.onRead(stream)
      stream.holdRead()
      stream.park()
    }
    if (touched.length > 0) touched.length = 0
    this.#connection.inflow.settle()
  }

  /** Ends a stream whose peer has made a mistake on it. */
  refuse(stream: H2Stream, code: H2Error, details: string): void {
    const isUnknown = stream.isClosed
    if (!isUnknown) {
      this.#connection.sendReset(stream.id, code)
      stream.end({ code, by: 'us', isUnprocessed: false, details })
    }
    this.#fault()
  }

  #fault(): void {
    const limit = this.#guard.fault()
    if (limit !== undefined) this.#connection.limit(limit)
  }

  #dataHead(id: number, length: number): H2Error {
    this.#length = length
    this.#unhanded = length
    // Section 6.9.1. Frames for streams that are over count as well.
    if (!this.#connection.inflow.take(length)) return H2Error.flowControl
    const stream = this.#table.find(id)
    if (stream === undefined) return this.#closedError(id)
    if (stream.remoteEnded) {
      this.refuse(stream, H2Error.streamClosed, 'DATA behind the end')
      return H2Error.none
    }
    if (!stream.hasHead) {
      this.refuse(stream, H2Error.protocol, 'DATA before the head')
      return H2Error.none
    }
    stream.receiveWindow -= length
    if (stream.receiveWindow < 0) {
      this.refuse(stream, H2Error.flowControl, 'more DATA than the window')
      return H2Error.none
    }
    this.#reading = stream
    this.#readingId = id
    this.#table.touch(stream)
    return H2Error.none
  }

  /** Its stream may have ended between two reads, and the object carry another one. */
  get #readingNow(): H2Stream | undefined {
    const stream = this.#reading
    return stream === undefined || stream.isClosed || stream.id !== this.#readingId
      ? undefined
      : stream
  }

  /** Section 5.1: a frame for a stream that is not open. None if it is to be ignored. */
  #closedError(id: number): H2Error {
    if (this.#isIdle(id)) return H2Error.protocol
    return this.#isLate(id) ? H2Error.none : H2Error.streamClosed
  }

  /** We may have reset it, so that its frames were on their way. */
  #isLate(id: number): boolean {
    const how = this.#table.closed.find(id)
    return how === Closing.byUs || how === Closing.forgotten
  }

  /** It has never been opened. */
  #isIdle(id: number): boolean {
    const isPeers = (id & 1) === (this.#connection.role === 'server' ? 1 : 0)
    return isPeers ? id > this.lastPeerId : id >= this.#connection.nextId
  }

  #readBlock(id: number): void {
    this.#guard.useful()
    const stream = this.#table.find(id)
    if (stream !== undefined) this.#readFor(stream)
    else if (this.#connection.role === 'client') this.#readForNobody(id)
    else this.#readNew(id)
    this.#block.release()
  }

  /** A server's: a new request, if the client may open one. */
  #readNew(id: number): void {
    const { control, limits, outflow } = this.#connection
    if ((id & 1) === 0 || id <= this.lastPeerId) {
      this.#readForNobody(id)
      return
    }
    this.lastPeerId = id
    // Section 6.8: those that come behind the last GOAWAY are ignored, as far as they can be.
    if (control.isDrained) {
      this.#table.closed.add(id, Closing.byUs)
      this.#decode(NO_FIELDS)
      return
    }
    this.#guard.opened()
    if (this.#table.open >= limits.maxConcurrentStreams) {
      // Section 5.1.2: it may not know of the limit yet, and can send it again.
      if (!this.#decode(NO_FIELDS)) return
      this.#connection.sendReset(id, H2Error.refusedStream)
      if (control.isAcknowledged) this.#fault()
      return
    }
    const stream = this.#table.takeSpare() ?? this.#make()
    stream.begin(id, outflow.initialWindow, control.ownWindow)
    stream.bornAt = this.#connection.sweeps
    this.#table.add(stream)
    this.#readFor(stream)
  }

  #make(): H2Stream {
    const stream = new H2Stream(this.#connection)
    stream.receiver = this.#owner.receiverFor(stream)
    return stream
  }

  /** A block that no stream takes: it may be late, or wrong. */
  #readForNobody(id: number): void {
    if (!this.#isIdle(id)) {
      if (this.#isLate(id)) {
        this.#decode(NO_FIELDS)
        return
      }
      if (this.#table.closed.find(id) === Closing.byPeer) {
        this.#connection.fail(H2Error.streamClosed, 'HEADERS')
        return
      }
    }
    // Section 5.1.1: ids go up, and each side has its own.
    this.#connection.fail(H2Error.protocol, 'HEADERS on a stream that is not open')
  }

  #readFor(stream: H2Stream): void {
    const { isEnd, isSelfish } = this.#block
    const { role } = this.#connection
    const isFirst = !stream.hasHead
    if (stream.remoteEnded) {
      if (this.#decode(NO_FIELDS)) this.refuse(stream, H2Error.streamClosed, 'HEADERS')
      return
    }
    const head = isFirst ? stream.head : stream.trailerHead
    const what = isFirst ? (role === 'server' ? 'request' : 'response') : 'trailers'
    this.#builder.begin(head, what, stream.asked)
    if (!this.#decode(this.#builder)) return
    const judged = this.#builder.end(isEnd)
    const refusal = this.#isCut ? Refusal.headTooLarge : judged
    if (refusal !== Refusal.none) {
      this.#refuseMessage(stream, refusal)
    } else if (isSelfish) {
      this.refuse(stream, H2Error.protocol, 'a stream that depends on itself')
    } else if (isFirst) {
      this.#takeHead(stream, isEnd)
    } else if (!isEnd) {
      // Section 8.1: nothing follows trailers.
      this.#refuseMessage(stream, Refusal.headRepeated)
    } else if (stream.isComplete) {
      stream.trailers = head
      this.#table.touch(stream)
      stream.remoteEnd()
    } else {
      this.#refuseMessage(stream, Refusal.lengthMismatch)
    }
  }

  #takeHead(stream: H2Stream, isEnd: boolean): void {
    const { head } = stream
    this.#table.touch(stream)
    stream.hasHead = this.#connection.role === 'server' || head.status >= 200
    if (stream.hasHead) stream.expectBody()
    else stream.heard += head.end - head.start
    // No window holds them back: without end they would lie here for a client that does not read.
    if (stream.heard > this.#connection.limits.maxHeaderListSize) {
      this.#refuseMessage(stream, Refusal.headTooLarge)
      return
    }
    if (isEnd) stream.remoteEnd()
    stream.receiver.onHead(stream, head)
  }

  /** False if the connection is over with it. */
  #decode(sink: FieldSink): boolean {
    const { bytes, start, end } = this.#block
    const decoded = this.decoder.decode(bytes, start, end, sink)
    this.#isCut = decoded === Decoded.tooLarge
    if (decoded !== Decoded.wrong) return true
    this.#connection.fail(H2Error.compression, 'a header block that cannot be read')
    return false
  }

  #refuseMessage(stream: H2Stream, refusal: Refusal): void {
    const name = refusalName(refusal)
    this.#owner.onRefused(name)
    this.refuse(stream, H2Error.protocol, name)
  }

  #onReset(id: number, code: number): void {
    const stream = this.#table.find(id)
    if (stream === undefined) {
      if (this.#isIdle(id)) this.#connection.fail(H2Error.protocol, 'RST_STREAM of an idle stream')
      else this.#isNuisance()
      return
    }
    this.#owner.onReset(code, false)
    const age = this.#connection.sweeps - stream.bornAt
    const { hasSent } = stream
    const isUnprocessed = code === H2Error.refusedStream
    // Some servers (Node.js) ask for no more of the request in place of END_STREAM (section 8.1): nothing is missing.
    const isServer = this.#connection.role === 'server'
    if (!isServer && code === H2Error.none && stream.isWhole) {
      this.#table.touch(stream)
      stream.remoteEnd()
    }
    stream.end({ code, by: 'peer', isUnprocessed, details: h2ErrorName(code) })
    // What was answered is not given up early: it has been worked for.
    if (isServer && !hasSent) this.#isOver(this.#guard.givenUp(age))
  }

  #onWindow(id: number, increment: number): void {
    if (this.#isNuisance()) return
    if (id === 0) {
      // Section 6.9: an increment of nothing is an error.
      if (increment === 0) this.#connection.fail(H2Error.protocol, 'WINDOW_UPDATE of 0')
      else if (!this.#connection.outflow.widen(increment)) {
        this.#connection.fail(H2Error.flowControl, 'WINDOW_UPDATE')
      }
      return
    }
    const stream = this.#table.find(id)
    if (stream === undefined) {
      if (this.#isIdle(id))
        this.#connection.fail(H2Error.protocol, 'WINDOW_UPDATE of an idle stream')
    } else if (increment === 0) {
      this.refuse(stream, H2Error.protocol, 'WINDOW_UPDATE of 0')
    } else if (stream.widen(increment)) {
      this.#connection.outflow.serve()
    } else {
      this.refuse(stream, H2Error.flowControl, 'WINDOW_UPDATE')
    }
  }

  /** RFC 9113 section 5.3.2 has priorities ignored; what RFC 7540 forbade about them is still an error of the stream. */
  #onPriority(id: number, bytes: Buffer, start: number, end: number): void {
    const code = end - start !== 5 ? H2Error.frameSize : H2Error.protocol
    if (code === H2Error.protocol && dependency(bytes, start) !== id) return
    const stream = this.#table.find(id)
    if (stream !== undefined) this.refuse(stream, code, 'PRIORITY')
    // Of a stream that is idle there is nothing to reset.
    else if (this.#isIdle(id)) this.#connection.fail(code, 'PRIORITY')
  }

  /** Counts a frame that brings nothing. True if the connection is over with it. */
  #isNuisance(): boolean {
    return this.#isOver(this.#guard.nuisance())
  }

  #isOver(limit: H2LimitName | undefined): boolean {
    if (limit !== undefined) this.#connection.limit(limit)
    return limit !== undefined
  }
}
