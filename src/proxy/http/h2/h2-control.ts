// What an HTTP/2 connection says about itself: the preface, SETTINGS, PING, GOAWAY (RFC 9113 sections 3.4, 6.5, 6.7,
// 6.8), and the way that it ends in good order.

import type { Millis } from '../../../lib/duration.ts'
import type { H2Connection } from './h2-connection.ts'
import type { HpackDecoder } from './hpack/hpack-decoder.ts'
import {
  FIRST_TABLE_SIZE,
  FIRST_WINDOW,
  Flag,
  FrameType,
  H2Error,
  MOST_WINDOW,
  PREFACE,
  Setting,
} from './protocol.ts'
import { SETTING_SIZE, sendSettings, settingError } from './settings.ts'

/** The first four bytes of our PINGs, by which their answers are told apart. */
const ALIVE = 0x616c6976
const DRAIN = 0x64726169
const PING_SIZE = 8
const GOAWAY_SIZE = 8
/** What is said of an error to the peer. */
const MOST_DETAILS = 128

export class H2Control {
  /** The peer's SETTINGS have come. */
  isGreeted = false
  /** We have said that we take no more streams, and which the last one is. */
  isDraining = false
  isDrained = false
  /** The peer has said so. */
  isPeerDraining = false
  /** What the peer's streams may send at first, as far as it has acknowledged that. */
  ownWindow: number = FIRST_WINDOW
  readonly #connection: H2Connection
  readonly #decoder: HpackDecoder
  #prefaceAt: number
  /** The peer goes by our SETTINGS. */
  isAcknowledged = false
  /** The last stream as we have said it. */
  #last: number = MOST_WINDOW
  #startedAt: Millis = NaN
  #drainedAt: Millis = NaN
  /** Something came since the last sweep; since when nothing has; when a PING was sent that is not answered. */
  #isHeard = true
  #silentSince: Millis = NaN
  #pingedAt: Millis = NaN

  constructor(connection: H2Connection, decoder: HpackDecoder) {
    this.#connection = connection
    this.#decoder = decoder
    this.#prefaceAt = connection.role === 'server' ? 0 : PREFACE.length
  }

  start(): void {
    const { limits, output, role } = this.#connection
    if (role === 'client') output.raw(PREFACE)
    sendSettings(output, role, limits)
  }

  /** Where the first frame begins in these bytes, -1 if what stands before it is wrong. */
  readPreface(bytes: Buffer): number {
    this.#isHeard = true
    let at = 0
    for (; this.#prefaceAt < PREFACE.length && at < bytes.length; at++) {
      if (bytes[at] !== PREFACE[this.#prefaceAt]) return -1
      this.#prefaceAt += 1
    }
    return at
  }

  /** A frame about the connection, or one of a type that nobody knows, which is ignored (section 5.5). */
  payload(type: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (type === FrameType.settings) this.#onSettings(flags, bytes, start, end)
    else if (type === FrameType.ping) this.#onPing(flags, bytes, start)
    else if (type === FrameType.goaway) this.#onGoaway(bytes, start, end)
  }

  /** No new streams. A server lets those come that are on their way, and says a moment later where the end is. */
  drain(): void {
    if (this.isDraining) return
    this.isDraining = true
    const { role, output } = this.#connection
    if (role === 'client') {
      this.#endDrain()
      return
    }
    this.#goaway(MOST_WINDOW, H2Error.none, '')
    output.frame(FrameType.ping, 0, 0, PING_SIZE)
    output.number(DRAIN)
    output.number(0)
  }

  /** The last words. */
  sayGoaway(code: number, details: string): void {
    this.isDraining = true
    this.isDrained = true
    this.#goaway(this.#lastSaid(), code, details)
  }

  /** Section 6.8: it does not grow. */
  #lastSaid(): number {
    this.#last = Math.min(this.#last, this.#connection.lastPeerId)
    return this.#last
  }

  /** Once a second. */
  sweep(now: Millis, isUsed: boolean): void {
    const { limits } = this.#connection
    if (Number.isNaN(this.#startedAt)) this.#startedAt = now
    if (this.isDraining && !this.isDrained) {
      // The answer to the PING would have been faster; it need not come.
      if (Number.isNaN(this.#drainedAt)) this.#drainedAt = now
      else this.#endDrain()
    }
    if (!this.isAcknowledged && now - this.#startedAt >= limits.settingsTimeout) {
      this.#connection.limit('settings-timeout', H2Error.settingsTimeout)
      return
    }
    if (this.#isHeard) {
      this.#isHeard = false
      this.#silentSince = now
    }
    if (limits.pingInterval > 0 && isUsed) this.#keepAlive(now)
  }

  #keepAlive(now: Millis): void {
    const { limits, output } = this.#connection
    if (!Number.isNaN(this.#pingedAt)) {
      const isDead = now - this.#pingedAt >= limits.pingTimeout
      if (isDead) this.#connection.limit('ping-timeout', H2Error.none)
    } else if (now - this.#silentSince >= limits.pingInterval) {
      this.#pingedAt = now
      output.frame(FrameType.ping, 0, 0, PING_SIZE)
      output.number(ALIVE)
      output.number(0)
    }
  }

  #onSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    if ((flags & Flag.ack) !== 0) {
      this.#acknowledged()
      return
    }
    const { limits, outflow, output, role } = this.#connection
    const isFirst = !this.isGreeted
    this.isGreeted = true
    if ((end - start) / SETTING_SIZE > limits.maxSettings) {
      this.#connection.limit('settings')
      return
    }
    // What it says nothing of it leaves open.
    if (isFirst && role === 'client') this.#connection.peerStreams = Number.POSITIVE_INFINITY
    let window = outflow.initialWindow
    for (let at = start; at < end; at += SETTING_SIZE) {
      const id = bytes.readUInt16BE(at)
      const value = bytes.readUInt32BE(at + 2)
      const error = settingError(id, value, role)
      if (error !== H2Error.none) {
        this.#connection.fail(error, 'SETTINGS')
        return
      }
      if (id === Setting.initialWindowSize) window = value
      else this.#apply(id, value)
    }
    // Every stream is looked at for it: once, however often one frame has it.
    if (window !== outflow.initialWindow && !this.#connection.peerWindow(window)) {
      this.#connection.fail(H2Error.flowControl, 'SETTINGS_INITIAL_WINDOW_SIZE')
      return
    }
    output.frame(FrameType.settings, Flag.ack, 0, 0)
    output.countControl(0)
    // Section 6.5.3: before this the peer may still go by what it said earlier.
    outflow.serve()
    if (role === 'client') this.#connection.roomMade()
  }

  #apply(id: number, value: number): void {
    const connection = this.#connection
    if (id === Setting.headerTableSize) connection.heads.tableSize(value)
    else if (id === Setting.maxConcurrentStreams) connection.peerStreams = value
  }

  /** Section 6.5.3: from now on the peer goes by what we have said. */
  #acknowledged(): void {
    if (this.isAcknowledged) return
    this.isAcknowledged = true
    const { limits } = this.#connection
    this.#connection.widenOwn(limits.streamWindow - this.ownWindow)
    this.ownWindow = limits.streamWindow
    if (limits.headerTableSize !== FIRST_TABLE_SIZE) this.#decoder.tableSize(limits.headerTableSize)
  }

  #onPing(flags: number, bytes: Buffer, start: number): void {
    const { output } = this.#connection
    if ((flags & Flag.ack) === 0) {
      output.frame(FrameType.ping, Flag.ack, 0, PING_SIZE)
      output.put(bytes, start, start + PING_SIZE)
      output.countControl(PING_SIZE)
      return
    }
    const which = bytes.readUInt32BE(start)
    if (which === ALIVE) this.#pingedAt = NaN
    else if (which === DRAIN && this.isDraining) this.#endDrain()
  }

  #onGoaway(bytes: Buffer, start: number, end: number): void {
    this.isPeerDraining = true
    const last = bytes.readUInt32BE(start) & MOST_WINDOW
    const code = bytes.readUInt32BE(start + 4)
    const from = start + GOAWAY_SIZE
    const said = bytes.toString('latin1', from, Math.min(end, from + MOST_DETAILS))
    this.#connection.peerDrains(last, code, said.replace(/[^ -~]/g, '?'))
  }

  #endDrain(): void {
    if (this.isDrained) return
    this.isDrained = true
    this.#goaway(this.#lastSaid(), H2Error.none, '')
    this.#connection.roomMade()
  }

  #goaway(last: number, code: number, details: string): void {
    const { output } = this.#connection
    const said = Buffer.from(details.slice(0, MOST_DETAILS), 'latin1')
    output.frame(FrameType.goaway, 0, 0, GOAWAY_SIZE + said.length)
    output.number(last)
    output.number(code)
    output.put(said, 0, said.length)
  }
}
