// One HTTP/2 connection of ours, of either role, in memory: its peer are the frames that a test feeds.
//
// The read buffer is used again for the next read, and scribbled over in between, unless it was left; a write that was
// not taken is held against what it was when it is. All that is sent is held against the protocol (h2-watch.ts).
// A turn of the event loop is over when the test says so, which `feed` does.

import { H2Connection, type H2Owner, type H2Sink } from '../../src/proxy/http/h2/h2-connection.ts'
import {
  DEFAULT_H2_LIMITS,
  type H2LimitName,
  type H2Limits,
} from '../../src/proxy/http/h2/h2-limits.ts'
import type { H2Stream } from '../../src/proxy/http/h2/h2-stream.ts'
import { HeadEncoder } from '../../src/proxy/http/h2/head-encoder.ts'
import { HpackDecoder } from '../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { HpackEncoder } from '../../src/proxy/http/h2/hpack/hpack-encoder.ts'
import { h2ErrorName, PREFACE } from '../../src/proxy/http/h2/protocol.ts'
import type { StreamReceiver } from '../../src/proxy/http/h2/stream-receiver.ts'
import { H2App, type Manners } from './h2-app.ts'
import { Watch } from './h2-watch.ts'
import { ACK, CLIENT_START, type Frame, FrameReader, settings, Type, told } from './h2-wire.ts'

const READ_SIZE = 65_536
const UNBOUND = { maxHeaderListSize: 1e6, maxHeaderFields: 1e4 }

export interface RigOptions {
  readonly role?: 'client' | 'server'
  readonly limits?: Partial<H2Limits>
  readonly manners?: Partial<Manners>
  /** The connection has not begun: the test feeds what the peer begins with. */
  readonly isRaw?: boolean
}

export class H2Rig implements H2Sink, H2Owner {
  readonly role: 'client' | 'server'
  readonly limits: H2Limits
  readonly connection: H2Connection
  readonly app: H2App
  /** What was sent, frame by frame. */
  readonly frames: Frame[] = []
  /** By write: how many frames it had. */
  readonly writes: number[] = []
  /** What the owner was told. */
  readonly failures: string[] = []
  readonly limited: H2LimitName[] = []
  readonly refused: string[] = []
  readonly goaways: string[] = []
  readonly resets: string[] = []
  closed = 0
  /** False: what is written is kept waiting until `open` is called. */
  takes = true
  readonly #reader: FrameReader
  readonly #fedReader: FrameReader
  readonly #watch: Watch
  #isScheduled = false
  #readBuffer: Buffer = Buffer.alloc(READ_SIZE)
  #isLeft = false
  /** A write that was not taken: the bytes themselves, and what they were. */
  #waiting: { bytes: Buffer; copy: Buffer } | undefined
  #now = 0

  constructor(options: RigOptions = {}) {
    this.role = options.role ?? 'server'
    this.limits = { ...DEFAULT_H2_LIMITS, ...options.limits }
    const isClient = this.role === 'client'
    this.app = new H2App(this, options.manners)
    this.#reader = new FrameReader(isClient ? PREFACE : undefined, new HpackDecoder(4096, UNBOUND))
    this.#fedReader = new FrameReader(isClient ? undefined : PREFACE)
    this.#watch = new Watch({
      role: this.role,
      connectionWindow: this.limits.connectionWindow,
      streamWindow: this.limits.streamWindow,
    })
    const encoder = new HeadEncoder(new HpackEncoder(this.limits.headerTableSize))
    this.connection = new H2Connection(this.role, encoder, this.limits, this, this)
    this.connection.start()
    this.turn()
    if (options.isRaw === true) return
    this.feed(isClient ? settings() : CLIENT_START)
    this.feed(ownAck())
    this.take()
    this.app.take()
  }

  // What a test does.

  /** A read of each of these, all in one turn. */
  feed(...pieces: readonly Buffer[]): void {
    this.give(...pieces)
    this.turn()
  }

  /** The same without the end of the turn. */
  give(...pieces: readonly Buffer[]): void {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += READ_SIZE) {
        this.#give(piece.subarray(at, at + READ_SIZE))
      }
    }
  }

  #give(piece: Buffer): void {
    // A peer whose preface was wrong speaks no HTTP/2, so there is nothing to keep count of.
    try {
      for (const frame of this.#fedReader.read(piece)) this.#watch.fed(frame)
    } catch {
      // The judgement of the code under test is what counts.
    }
    if (this.failures.length > 0) return
    if (this.#isLeft) {
      this.#readBuffer = Buffer.alloc(READ_SIZE)
      this.#isLeft = false
    }
    piece.copy(this.#readBuffer)
    this.connection.read(this.#readBuffer.subarray(0, piece.length))
    this.#scribble(piece.length)
  }

  /** The next read would go there. */
  #scribble(length: number): void {
    if (!this.#isLeft) this.#readBuffer.fill(0xaa, 0, length)
  }

  /** Ends the turn. */
  turn(): void {
    for (let i = 0; this.#takeScheduled(); i++) {
      if (i > 1000) throw new Error('a flush asks for the next one without end')
      this.connection.flush()
    }
    this.#watch.turn++
  }

  #takeScheduled(): boolean {
    const isScheduled = this.#isScheduled
    this.#isScheduled = false
    return isScheduled
  }

  /** The peer reads again. */
  open(): void {
    this.takes = true
    this.#release()
    this.turn()
  }

  /** The peer reads what was not taken, and nothing behind it. */
  openOnce(): void {
    this.#release()
    this.turn()
  }

  #release(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    if (!waiting.bytes.equals(waiting.copy)) throw new Error('bytes changed while they waited')
    this.#waiting = undefined
    this.#took(waiting.copy)
    this.connection.drained()
  }

  /** So many seconds pass. */
  pass(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.#now += 1000
      this.connection.sweep(this.#now)
      this.turn()
    }
  }

  /** The frames since the last call. */
  take(): readonly Frame[] {
    return this.frames.splice(0)
  }

  /** What they say. */
  told(): string[] {
    return told(this.take())
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  /** The stream that a request of ours was sent on. */
  ask(text = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', isEnd = true): H2Stream {
    return this.app.ask(text, isEnd)
  }

  // What the connection asks for.

  write(bytes: Buffer): boolean {
    if (this.#waiting !== undefined) throw new Error('written before the last write was taken')
    if (bytes.length === 0) throw new Error('nothing was written')
    if (this.takes) {
      this.#took(Buffer.from(bytes))
      return true
    }
    this.#watch.isPrompt = false
    this.#waiting = { bytes, copy: Buffer.from(bytes) }
    return false
  }

  #took(bytes: Buffer): void {
    const frames = this.#reader.read(bytes)
    if (this.#reader.pending > 0) throw new Error('a write ends within a frame')
    this.writes.push(frames.length)
    for (const frame of frames) {
      this.#watch.sent(frame)
      this.frames.push(frame)
    }
  }

  schedule(connection: H2Connection): void {
    if (connection !== this.connection) throw new Error('another connection')
    this.#isScheduled = true
  }

  leaveRead(): void {
    this.#isLeft = true
  }

  receiverFor(): StreamReceiver {
    return this.app.receiver()
  }

  onFailed(code: number, details: string): void {
    if (details === '') throw new Error('a failure without a reason')
    this.failures.push(h2ErrorName(code))
  }

  onGoaway(code: number, details: string): void {
    this.goaways.push(`${h2ErrorName(code)} ${details}`.trimEnd())
  }

  onRoom(): void {
    this.closed++
  }

  onReset(code: number, isOurs: boolean): void {
    this.resets.push(`${h2ErrorName(code)} by ${isOurs ? 'us' : 'peer'}`)
  }

  onLimit(name: H2LimitName): void {
    this.limited.push(name)
  }

  onRefused(reason: string): void {
    this.refused.push(reason)
  }
}

function ownAck(): Buffer {
  return Buffer.from([0, 0, 0, Type.settings, ACK, 0, 0, 0, 0])
}
