// Random frames of HTTP/2 for the fuzzer: conversations that mostly make sense, with what peers do wrong strewn in, then
// flipped and spliced. The same seed makes the same frames.

import {
  block,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  goaway,
  headers,
  literal,
  PADDED,
  PRIORITY,
  padded,
  ping,
  priority,
  priorityPayload,
  pushPromise,
  request,
  response,
  rstStream,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from '../support/h2-wire.ts'
import type { Dice } from './messages.ts'

export type Role = 'client' | 'server'

const FIELDS = [
  ['x-a', 'b'],
  ['cookie', 'a=b'],
  ['content-type', 'text/plain'],
  ['te', 'trailers'],
  ['accept', '*/*'],
] as const
const ODD_FIELDS = [
  ['X-A', 'b'],
  ['connection', 'close'],
  ['transfer-encoding', 'chunked'],
  [':path', '/two'],
  [':status', '200'],
  ['x-a', 'b\r\nc: d'],
  ['x a', ''],
  ['', ''],
  ['content-length', '5'],
  ['content-length', 'x'],
  ['host', 'b.test'],
] as const
const METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'OPTIONS']
const STATUSES = ['200', '204', '304', '404', '503']
const ODD_STATUSES = ['101', '20', 'abc', '000', '999']
const NUMBERS = [0, 1, 2, 100, 16_383, 16_384, 65_535, 65_536, 2 ** 24 - 1, 2 ** 31 - 1, 2 ** 31]

/** What a peer of `role` sends, one frame after another. */
export class Peer {
  readonly #dice: Dice
  readonly #isClient: boolean
  /** Streams that there have been, and those that this side has not ended. */
  readonly #streams: number[] = []
  readonly #open: number[] = []
  /** By stream: its head was sent. */
  readonly #begun: Set<number> = new Set()
  #next = 1

  constructor(dice: Dice, role: Role) {
    this.#dice = dice
    this.#isClient = role === 'client'
  }

  /** The other side has opened a stream. */
  opened(id: number): void {
    this.#streams.push(id)
    this.#open.push(id)
  }

  /** The next frame, or the frames of a header block. */
  next(): Buffer {
    const dice = this.#dice
    const bytes = dice.odd(30) ? this.#odd() : this.#usual()
    return dice.odd(60) ? flipped(dice, bytes) : bytes
  }

  #usual(): Buffer {
    const dice = this.#dice
    switch (dice.below(12)) {
      case 0:
      case 1:
      case 2:
        return this.#head()
      case 3:
      case 4:
      case 5:
        return this.#data()
      case 6:
        return windowUpdate(dice.once(2) ? 0 : this.#stream(), 1 + dice.below(20_000))
      case 7:
        return settings(...this.#settings())
      case 8:
        return dice.once(2) ? ping() : priority(this.#stream(), 0)
      case 9:
        return rstStream(this.#ended(this.#stream(), END_STREAM), dice.below(14))
      case 10:
        return dice.once(2) ? this.#trailers() : frame(0x40, dice.below(256), this.#stream())
      default:
        return dice.once(2) ? SETTINGS_ACK : ping('answered', 1)
    }
  }

  #odd(): Buffer {
    const dice = this.#dice
    const id = dice.pick([0, this.#stream(), this.#next + 2 * dice.below(3), 2, 2 ** 31 - 1])
    switch (dice.below(8)) {
      case 0:
        return frame(
          dice.below(12),
          dice.below(256),
          id,
          Buffer.alloc(dice.below(20), dice.below(256)),
        )
      case 1:
        return windowUpdate(id, dice.pick(NUMBERS))
      case 2:
        return settings([dice.below(8), dice.pick(NUMBERS)])
      case 3:
        return goaway(id, dice.below(14), 'bye')
      case 4:
        return pushPromise(id, 2, request())
      case 5:
        return continuation(id, block([['x-a', 'b']]), dice.below(8))
      case 6:
        return headers(id, Buffer.alloc(dice.below(30), dice.below(256)))
      default:
        return priority(id, id)
    }
  }

  /** One that is open, if there is one; now and then any. */
  #stream(): number {
    const dice = this.#dice
    const ids = this.#open.length === 0 || dice.odd(20) ? this.#streams : this.#open
    return ids.length === 0 ? this.#next : dice.pick(ids)
  }

  /** The same id; with END_STREAM it is not open any more. */
  #ended(id: number, end: number): number {
    const at = this.#open.indexOf(id)
    if (end !== 0 && at >= 0) this.#open.splice(at, 1)
    return id
  }

  #head(): Buffer {
    const dice = this.#dice
    const end = dice.once(2) ? END_STREAM : 0
    if (!this.#isClient) {
      const isInterim = dice.once(6)
      const status = dice.odd(10) ? dice.pick(ODD_STATUSES) : dice.pick(STATUSES)
      const fields = response(isInterim ? '103' : status, this.#fields())
      const id = this.#stream()
      if (this.#begun.has(id) && !dice.odd(20)) return this.#data()
      if (!isInterim) this.#begun.add(id)
      const ends = isInterim && !dice.odd(10) ? 0 : end
      return this.#block(this.#ended(id, ends), fields, ends)
    }
    const id = this.#next + (dice.once(10) ? 2 : 0)
    this.#next = id + 2
    this.#streams.push(id)
    this.#begun.add(id)
    if (end === 0) this.#open.push(id)
    return this.#block(id, request(this.#fields(), dice.pick(METHODS)), end)
  }

  #trailers(): Buffer {
    const id = this.#stream()
    if (!this.#begun.has(id)) return this.#head()
    const end = this.#dice.odd(10) ? 0 : END_STREAM
    return this.#block(this.#ended(id, end), block([['x-sum', '1']]), end)
  }

  #fields(): [string, string][] {
    const dice = this.#dice
    return Array.from({ length: dice.below(4) }, () => {
      const [name, value] = dice.odd(15) ? dice.pick(ODD_FIELDS) : dice.pick(FIELDS)
      return [name, value]
    })
  }

  /** In one frame or several, with padding, with something in the table. */
  #block(id: number, fields: Buffer, end: number): Buffer {
    const dice = this.#dice
    let bytes = fields
    if (dice.once(4)) bytes = Buffer.concat([bytes, literal(0x40, 'x-kept', `${dice.below(3)}`)])
    if (dice.odd(20)) bytes = Buffer.concat([bytes, Buffer.from([0x80 | dice.below(128)])])
    const cut = dice.once(4) ? dice.below(bytes.length) : bytes.length
    const isWhole = cut === bytes.length
    let payload = bytes.subarray(0, cut)
    let flags = end | (isWhole ? END_HEADERS : 0)
    if (dice.once(8)) {
      payload = Buffer.concat([priorityPayload(0), payload])
      flags |= PRIORITY
    }
    if (dice.once(8)) {
      payload = padded(payload, dice.below(20))
      flags |= PADDED
    }
    const first = headers(id, payload, flags)
    if (isWhole) return first
    const middle = cut + dice.below(bytes.length - cut)
    const between = continuation(id, bytes.subarray(cut, middle), 0)
    return Buffer.concat([first, between, continuation(id, bytes.subarray(middle))])
  }

  #data(): Buffer {
    const dice = this.#dice
    const size = dice.pick([0, 1, 5, 100, 1000])
    const pad = dice.once(5) ? dice.below(256) : -1
    const id = this.#stream()
    const end = dice.once(4) ? END_STREAM : 0
    if (!this.#begun.has(id) && !dice.odd(20)) return ping('no head!')
    return data(this.#ended(id, end), Buffer.alloc(size, 'x'), end, pad)
  }

  #settings(): [number, number][] {
    const dice = this.#dice
    return Array.from({ length: dice.below(3) }, () =>
      dice.pick<[number, number]>([
        [1, dice.below(5000)],
        [3, dice.below(200)],
        [4, dice.below(100_000)],
        [5, 16_384 + dice.below(100_000)],
        [6, dice.below(100_000)],
        [0x99, dice.below(100)],
      ]),
    )
  }
}

function flipped(dice: Dice, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const at = dice.below(copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << dice.below(8))
  return copy
}
