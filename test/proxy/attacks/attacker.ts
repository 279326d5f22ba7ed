// A peer over a raw socket that keeps to no rule but its own: what it sends is made by hand, what it is told is read.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { h2ErrorName, PREFACE } from '../../../src/proxy/http/h2/protocol.ts'
import {
  CLIENT_START,
  type Frame,
  FrameReader,
  line,
  SETTINGS_ACK,
  settings,
  Type,
} from '../../support/h2-wire.ts'
import { until } from '../../support/until.ts'

/** Without an end of its own an attack ends after so many milliseconds. */
const MOST: number = 1500

export class Attacker {
  readonly socket: Socket
  /** Frames of each type; of those with a code, and of DATA, what is kept is below. */
  readonly counts: Map<number, number> = new Map()
  /** What was said last on this connection. */
  goaway = ''
  /** RST_STREAM frames by code. */
  readonly resets: Map<string, number> = new Map()
  /** Bytes of DATA, padding included. */
  received = 0
  isClosed = false
  onFrame: (frame: Frame) => void = () => undefined
  readonly #reader: FrameReader

  constructor(socket: Socket, before?: Buffer) {
    this.socket = socket
    this.#reader = new FrameReader(before)
    socket.on('data', (bytes) => {
      for (const frame of this.#reader.read(bytes)) this.#take(frame)
      this.#reader.frames.length = 0
    })
    socket.on('close', () => {
      this.isClosed = true
    })
    socket.on('error', () => undefined)
  }

  /** A client that has said its preface, with SETTINGS that say `values`, and acknowledges what it is told. */
  static async client(
    port: number,
    values: readonly (readonly [number, number])[] = [],
  ): Promise<Attacker> {
    const attacker = await Attacker.dumb(port)
    const isPlain = values.length === 0
    attacker.send(isPlain ? CLIENT_START : Buffer.concat([PREFACE, settings(...values)]))
    attacker.send(SETTINGS_ACK)
    await until('SETTINGS', () => attacker.counts.has(Type.settings))
    return attacker
  }

  /** One that has said nothing. */
  static async dumb(port: number): Promise<Attacker> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new Attacker(socket)
  }

  send(...frames: readonly Buffer[]): boolean {
    if (this.isClosed || this.socket.destroyed) return false
    return this.socket.write(frames.length === 1 ? (frames[0] ?? '') : Buffer.concat(frames))
  }

  /** Sends what `make` gives, time and again, until the connection is over, or it gives nothing. Gives how often. */
  async flood(make: (i: number) => Buffer | undefined, most: number = MOST): Promise<number> {
    const end = performance.now() + most
    let i = 0
    for (; performance.now() < end && !this.isOver; i++) {
      const bytes = make(i)
      if (bytes === undefined) break
      if (!this.send(bytes)) await this.#room(end)
      // What the proxy says of it is to be seen.
      await new Promise(setImmediate)
    }
    return i
  }

  get isOver(): boolean {
    return this.isClosed || this.goaway !== '' || this.socket.destroyed
  }

  /** Until it is told why, and the connection is gone. */
  async over(): Promise<string> {
    await until('GOAWAY', () => this.isOver)
    this.socket.resume()
    this.socket.end()
    await until('the end', () => this.isClosed)
    return this.goaway
  }

  count(type: number): number {
    return this.counts.get(type) ?? 0
  }

  get resetsReceived(): number {
    return this.count(Type.rstStream)
  }

  close(): void {
    this.socket.destroy()
  }

  /** For the socket, or what comes first of its end and the attack's. */
  async #room(end: number): Promise<void> {
    await until(
      'room',
      () => !this.socket.writableNeedDrain || this.isOver || performance.now() > end,
    )
  }

  #take(frame: Frame): void {
    const { type, payload } = frame
    this.counts.set(type, this.count(type) + 1)
    if (type === Type.data) this.received += payload.length
    if (type === Type.goaway) this.goaway = line(frame)
    if (type === Type.rstStream) {
      const code = h2ErrorName(payload.readUInt32BE(0))
      this.resets.set(code, (this.resets.get(code) ?? 0) + 1)
    }
    this.onFrame(frame)
  }
}
