// The fuzzer of HPACK: random blocks, for the decoder and a model of it; random lists of fields, through the encoder, the
// decoder and the model.
//
// It holds that nothing throws; that the decoder takes what the model takes, reads the same and has the same table after
// it; that what the encoder makes of a list is that list to both, while sizes change as they may; and that a block that
// is cut short by a limit leaves the table as the model has it. A failure names the seed.

import { seededRandom } from '../../src/lib/random.ts'
import { Decoded, HpackDecoder } from '../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { HpackEncoder } from '../../src/proxy/http/h2/hpack/hpack-encoder.ts'
import {
  coded,
  encode,
  integer,
  literal,
  type Pair,
  plain,
  read,
  tableOf,
} from '../proxy/http/h2/hpack/blocks.ts'
import type { Bounds } from './h1.ts'
import { HpackModel } from './hpack-model.ts'
import { Dice } from './messages.ts'

export interface HpackTally {
  /** Connections, each of many blocks. */
  inputs: number
  blocks: number
  wrong: number
  tooLarge: number
  fields: number
  /** Bytes of what the encoder wrote, and of the fields themselves. */
  written: number
  plain: number
}

const BLOCKS = 20
const SIZES = [0, 31, 32, 40, 100, 500, 4096]
const ROOMY = { maxHeaderListSize: 1 << 20, maxHeaderFields: 1000 }
const NARROW = { maxHeaderListSize: 300, maxHeaderFields: 5 }
const NAMES = [
  'a',
  'x-a',
  'X-B',
  'te',
  'cookie',
  'traceparent',
  ':path',
  ':x',
  'content_length',
  '',
]
const VALUES = ['', 'a', 'b', 'trailers', 'a\r\nb', ' a', 'caf\xe9', '/x?y', 'v'.repeat(60)]
const OWN_NAMES = [
  'x-a',
  'X-B',
  'Accept',
  'user-agent',
  'te',
  'cookie',
  'traceparent',
  'authorization',
]

export function fuzzHpack(bounds: Bounds): HpackTally {
  const dice = new Dice(seededRandom(bounds.seed))
  const tally = { inputs: 0, blocks: 0, wrong: 0, tooLarge: 0, fields: 0, written: 0, plain: 0 }
  while (tally.inputs < bounds.count && !bounds.over()) {
    try {
      if (dice.once(2)) decodeRandom(dice, tally)
      else roundTrip(dice, tally)
    } catch (error) {
      throw new Error(`seed ${bounds.seed}, input ${tally.inputs}`, { cause: error })
    }
    tally.inputs++
  }
  return tally
}

function text(dice: Dice): string {
  if (dice.once(2)) return dice.pick(VALUES)
  return dice.many(40, () => String.fromCharCode(dice.below(dice.once(3) ? 256 : 128)))
}

/** One item of a block: sound, as far as it is not an index too far. */
function item(dice: Dice): Buffer {
  const string = (value: string): Buffer => (dice.once(2) ? plain(value) : coded(value))
  const flags = dice.pick([0x00, 0x10, 0x40, 0x40])
  switch (dice.below(8)) {
    case 0:
      return integer(0x80, 0x7f, 1 + dice.below(61))
    case 1:
    case 2:
      return integer(0x80, 0x7f, 60 + dice.below(8))
    case 3: {
      const index = integer(flags, flags === 0x40 ? 0x3f : 0x0f, 1 + dice.below(68))
      return Buffer.concat([index, string(text(dice))])
    }
    case 4:
      return literal(dice.pick(NAMES), text(dice), flags)
    default:
      return Buffer.concat([Buffer.from([flags]), string(dice.pick(NAMES)), string(text(dice))])
  }
}

function block(dice: Dice, isDue: boolean): Buffer {
  const resizes = isDue || dice.once(6) ? [dice.pick(SIZES), dice.pick(SIZES)] : []
  const items = Array.from({ length: dice.below(10) }, () => item(dice))
  const head = resizes.slice(dice.below(2)).map((size) => integer(0x20, 0x1f, size))
  const bytes = Buffer.concat([...head, ...items])
  for (let i = dice.odd(4) ? 1 + dice.below(3) : 0; i > 0 && bytes.length > 0; i--) {
    bytes[dice.below(bytes.length)] = dice.below(256)
  }
  return dice.odd(10) ? bytes.subarray(0, dice.below(bytes.length + 1)) : bytes
}

function decodeRandom(dice: Dice, tally: HpackTally): void {
  dice.calm = dice.pick([1, 10, 100])
  const limits = dice.once(4) ? NARROW : ROOMY
  const decoder = new HpackDecoder(4096, limits)
  const model = new HpackModel(4096)
  for (let i = 0; i < BLOCKS; i++) {
    const size = dice.once(10) ? dice.pick(SIZES) : undefined
    if (size !== undefined) {
      decoder.tableSize(size)
      model.tableSize(size)
    }
    const bytes = block(dice, size !== undefined)
    tally.blocks++
    const { verdict, isOver } = compare(decoder, model, bytes, limits)
    if (verdict === Decoded.wrong) tally.wrong++
    if (verdict === Decoded.tooLarge) tally.tooLarge++
    if (isOver) return
  }
}

/** Over when the block was wrong to either: nothing holds of the tables then. */
function compare(
  decoder: HpackDecoder,
  model: HpackModel,
  bytes: Buffer,
  limits: typeof ROOMY,
): { verdict: Decoded; isOver: boolean } {
  const expected = model.decode(bytes)
  const { verdict, listing } = read(decoder, bytes)
  const shown = bytes.toString('hex')
  if (expected === undefined) {
    // Codes in what is passed over are not looked at.
    if (verdict === Decoded.ok) throw new Error(`${shown} is taken`)
    return { verdict, isOver: true }
  }
  if (verdict === Decoded.wrong) throw new Error(`${shown} is not taken`)
  let size = 0
  const fit = expected.findIndex(({ name, value }, i) => {
    size += name.length + value.length + 32
    return size > limits.maxHeaderListSize || i >= limits.maxHeaderFields
  })
  if ((verdict === Decoded.tooLarge) !== fit >= 0) throw new Error(`${shown}: verdict ${verdict}`)
  const shownFields = fit < 0 ? expected : expected.slice(0, fit)
  same(shown, listing.pairs, shownFields)
  same(
    shown,
    listing.sensitive,
    shownFields.filter(({ isSensitive }) => isSensitive).map(({ name }) => name),
  )
  same(shown, tableOf(decoder), model.table)
  return { verdict, isOver: false }
}

function same(shown: string, actual: unknown, expected: readonly unknown[]): void {
  const ours = JSON.stringify(actual)
  const theirs = JSON.stringify(
    expected.map((item) => {
      if (typeof item === 'string') return item
      const { name, value } = item as { name: string; value: string }
      return [name, value]
    }),
  )
  if (ours !== theirs) throw new Error(`${shown}:\n${ours}\nis not\n${theirs}`)
}

function roundTrip(dice: Dice, tally: HpackTally): void {
  const encoder = new HpackEncoder(dice.once(3) ? dice.pick(SIZES) : 4096)
  const isCalm = dice.once(2)
  const decoder = new HpackDecoder(4096, ROOMY)
  const model = new HpackModel(4096)
  const common = Array.from({ length: 6 }, () => text(dice))
  for (let i = 0; i < BLOCKS; i++) {
    for (let sizes = dice.once(isCalm ? 50 : 5) ? 1 + dice.below(3) : 0; sizes > 0; sizes--) {
      const size = dice.pick(SIZES)
      for (const side of [encoder, decoder, model]) side.tableSize(size)
    }
    const pairs = Array.from({ length: dice.below(12) }, (): Pair => {
      const name = dice.once(5) ? `x-${dice.below(30)}` : dice.pick(OWN_NAMES)
      return [name, dice.once(isCalm ? 10 : 3) ? text(dice) : dice.pick(common)]
    })
    const bytes = encode(encoder, pairs, dice.once(3) ? ['x-a'] : [])
    const shown = bytes.toString('hex')
    const { verdict, listing } = read(decoder, bytes)
    const fields = model.decode(bytes)
    if (verdict !== Decoded.ok || fields === undefined) throw new Error(`${shown} is not taken`)
    const lists = [listing.pairs, fields.map(({ name, value }) => [name, value])]
    const expected = JSON.stringify(pairs.map(([name, value]) => [name.toLowerCase(), value]))
    for (const list of lists) {
      if (JSON.stringify(list) !== expected) throw new Error(`${shown} is not ${expected}`)
    }
    same(shown, tableOf(decoder), model.table)
    tally.blocks++
    tally.fields += pairs.length
    tally.written += bytes.length
    tally.plain += pairs.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  }
}
