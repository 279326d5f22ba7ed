// The decoder's table, what it refuses to read, and how much it lets a block cost.

import t from 'tap'
import { DEFAULT_H2_LIMITS } from '../../../../../src/proxy/http/h2/h2-limits.ts'
import { Decoded, HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import {
  coded,
  decode,
  INCREMENTAL,
  integer,
  literal,
  type Pair,
  plain,
  read,
  tableOf,
} from './blocks.ts'

const SIZE = 4096

function resize(size: number): Buffer {
  return integer(0x20, 0x1f, size)
}

function indexed(...indices: number[]): Buffer {
  return Buffer.concat(indices.map((index) => integer(0x80, 0x7f, index)))
}

t.test('hpack decoder: the static table', async (t) => {
  const decoder = new HpackDecoder(SIZE)
  const all = read(decoder, indexed(...Array.from({ length: 61 }, (_, i) => i + 1)))
  t.equal(all.verdict, Decoded.ok)
  t.equal(all.listing.pairs.length, 61)
  const some: [number, Pair][] = [
    [1, [':authority', '']],
    [2, [':method', 'GET']],
    [7, [':scheme', 'https']],
    [14, [':status', '500']],
    [16, ['accept-encoding', 'gzip, deflate']],
    [32, ['cookie', '']],
    [55, ['set-cookie', '']],
    [61, ['www-authenticate', '']],
  ]
  for (const [index, pair] of some) t.same(all.listing.pairs[index - 1], pair)
  t.same(all.listing.refusals, ['connection-field'], 'of transfer-encoding')
})

t.test('hpack decoder: what is no block', async (t) => {
  const wrong: Record<string, string> = {
    'index 0': '80',
    'index 62 of an empty table': 'be',
    'an index far away': 'ffff7f',
    'an index too long': 'ffffffffffff7f',
    'half of an index': 'ff',
    'a name of index 62': '7e 00',
    'a name of index 62, not indexed': '0f2f 00',
    'half of a name index': '7f',
    'no value': '41',
    'no name': '40',
    'no name, not indexed': '00',
    'no value behind a name': '40 01 61',
    'half of a name': '40 02 61',
    'half of a value': '41 02 61',
    'half of a length': '41 7f',
    'half of a coded value': '41 82 1f',
    'a value of many bytes': '41 7f ffffff7f',
    'padding of a byte': '41 82 1f ff',
    'padding of zeros': '41 81 18',
    EOS: '41 84 ffffffff',
    'EOS in a name': '40 84 ffffffff 00',
    'a resize behind a field': '82 3f e11f',
    'a resize behind a literal': '00 01 61 01 62 20',
    'a resize too large': '3f e2 1f',
    'half of a resize': '3f',
    'a resize too long': '3f ffffffffff01',
  }
  for (const [what, block] of Object.entries(wrong)) {
    t.equal(decode(new HpackDecoder(SIZE), block), 'wrong', what)
  }
  t.same(decode(new HpackDecoder(SIZE), ''), [], 'an empty block is one')
})

t.test('hpack decoder: every cut of a block is refused, or is a shorter block', async (t) => {
  const fields = [literal('x-a', 'b', INCREMENTAL), indexed(62), literal('x-c', 'd'.repeat(200))]
  const block = Buffer.concat(fields)
  const ends = fields.map((_, i) => Buffer.concat(fields.slice(0, i + 1)).length)
  for (let end = 1; end <= block.length; end++) {
    const verdict = decode(new HpackDecoder(SIZE), block.subarray(0, end))
    t.equal(verdict === 'wrong', !ends.includes(end), `${end} bytes`)
  }
})

t.test('hpack decoder: the oldest leave, exactly as many as must', async (t) => {
  const decoder = new HpackDecoder(SIZE)
  decode(decoder, resize(3 * 34))
  for (const name of ['a', 'b', 'c', 'd']) decode(decoder, literal(name, '1', INCREMENTAL))
  t.same(
    tableOf(decoder)
      .map(([name]) => name)
      .join(''),
    'dcb',
  )
  decode(decoder, literal('e', '12', INCREMENTAL))
  t.same(
    tableOf(decoder)
      .map(([name]) => name)
      .join(''),
    'ed',
  )
  t.equal(decode(decoder, indexed(64)), 'wrong')
  decode(decoder, literal('f', 'x'.repeat(3 * 34 - 33), INCREMENTAL))
  t.same(
    tableOf(decoder)
      .map(([name]) => name)
      .join(''),
    'f',
    'one that fills it',
  )
  t.same(decode(decoder, literal('g', 'x'.repeat(3 * 34 - 32), INCREMENTAL))[0], [
    'g',
    'x'.repeat(3 * 34 - 32),
  ])
  t.same(tableOf(decoder), [], 'one that is larger empties it')
})

t.test('hpack decoder: a name out of an entry that leaves for it', async (t) => {
  const decoder = new HpackDecoder(SIZE)
  decode(decoder, resize(80))
  decode(decoder, literal('x-name', 'a'.repeat(20), INCREMENTAL))
  const next = Buffer.concat([Buffer.from([0x7e]), plain('b'.repeat(30))])
  t.same(decode(decoder, next), [['x-name', 'b'.repeat(30)]])
  t.same(tableOf(decoder), [['x-name', 'b'.repeat(30)]])
})

t.test('hpack decoder: sizes', async (t) => {
  const decoder = new HpackDecoder(SIZE)
  decode(decoder, literal('a', '1', INCREMENTAL))
  t.same(decode(decoder, resize(0)), [])
  t.same(tableOf(decoder), [])
  decode(decoder, literal('a', '1', INCREMENTAL))
  t.same(tableOf(decoder), [], 'no table takes nothing')
  t.same(decode(decoder, Buffer.concat([resize(0), resize(SIZE), indexed(2)])), [
    [':method', 'GET'],
  ])
  decode(decoder, literal('a', '1', INCREMENTAL))
  t.same(tableOf(decoder), [['a', '1']])
  t.same(decode(decoder, Buffer.concat([resize(34), indexed(62)])), [['a', '1']])
  t.equal(decode(decoder, Buffer.concat([resize(33), indexed(62)])), 'wrong')
})

t.test('hpack decoder: a smaller size that we asked for is due', async (t) => {
  const silent = new HpackDecoder(SIZE)
  silent.tableSize(100)
  t.equal(decode(silent, '82'), 'wrong')
  const late = new HpackDecoder(SIZE)
  late.tableSize(100)
  t.equal(decode(late, resize(101)), 'wrong')
  const good = new HpackDecoder(SIZE)
  good.tableSize(100)
  t.same(decode(good, Buffer.concat([resize(100), indexed(2)])), [[':method', 'GET']])
  t.same(decode(good, '82'), [[':method', 'GET']])
  t.equal(decode(good, resize(101)), 'wrong')
  const small = new HpackDecoder(SIZE)
  decode(small, resize(50))
  small.tableSize(100)
  t.same(decode(small, '82'), [[':method', 'GET']], 'it is that small already')
})

t.test('hpack decoder: down and up again, the lowest has to be said', async (t) => {
  const decoder = (): HpackDecoder => {
    const made = new HpackDecoder(SIZE)
    decode(made, literal('a', '1', INCREMENTAL))
    made.tableSize(0)
    made.tableSize(SIZE)
    return made
  }
  t.equal(decode(decoder(), resize(SIZE)), 'wrong')
  t.equal(decode(decoder(), '82'), 'wrong')
  const good = decoder()
  t.same(decode(good, Buffer.concat([resize(0), resize(SIZE)])), [])
  t.same(tableOf(good), [])
})

t.test('hpack decoder: a larger table, when ours is one', async (t) => {
  const decoder = new HpackDecoder(65_536)
  t.same(decode(decoder, resize(65_536)), [])
  const names = Array.from({ length: 1000 }, (_, i) => `name-${i}`)
  for (const name of names) decode(decoder, literal(name, 'v'.repeat(20), INCREMENTAL))
  t.same(
    tableOf(decoder).map(([name]) => name),
    names.slice(-tableOf(decoder).length).reverse(),
  )
  t.ok(tableOf(decoder).length > 1000 - 10)
  t.equal(decode(new HpackDecoder(0), resize(SIZE)).length, 0, 'at first the protocol has its say')
})

t.test('hpack decoder: fields are counted, those of tables too', async (t) => {
  const { maxHeaderFields } = DEFAULT_H2_LIMITS
  const decoder = new HpackDecoder(SIZE)
  const many = (count: number): Buffer => Buffer.alloc(count, 0x82)
  t.equal(decode(decoder, many(maxHeaderFields)).length, maxHeaderFields)
  const { verdict, listing } = read(decoder, many(maxHeaderFields + 1))
  t.equal(verdict, Decoded.tooLarge)
  t.equal(listing.pairs.length, maxHeaderFields)
})

t.test('hpack decoder: a small block that stands for much', async (t) => {
  const limits = { maxHeaderListSize: 10_000, maxHeaderFields: 1000 }
  const decoder = new HpackDecoder(SIZE, limits)
  const large = literal('bomb', 'x'.repeat(3900), INCREMENTAL)
  const { verdict, listing } = read(decoder, Buffer.concat([large, Buffer.alloc(100_000, 0xbe)]))
  t.equal(verdict, Decoded.tooLarge)
  t.equal(listing.pairs.length, 2, 'no more is handed out')
  t.same(decode(decoder, 'be'), [['bomb', 'x'.repeat(3900)]], 'the connection goes on')
})

t.test('hpack decoder: what is passed over keeps the table in step', async (t) => {
  const limits = { maxHeaderListSize: 1000, maxHeaderFields: 10 }
  const decoder = new HpackDecoder(SIZE, limits)
  const block = Buffer.concat([
    literal('a', 'x'.repeat(1000)),
    literal('b', '1', INCREMENTAL),
    Buffer.concat([Buffer.from([0]), coded('c'), coded('2')]),
    Buffer.concat([Buffer.from([0x10]), plain('d'), plain('3')]),
    Buffer.concat([Buffer.from('0f2f', 'hex'), plain('4')]),
    Buffer.concat([Buffer.from([0x40]), coded('e'), coded('5')]),
    indexed(62, 63, 2),
  ])
  t.equal(decode(decoder, block), 'too large')
  t.same(tableOf(decoder), [
    ['e', '5'],
    ['b', '1'],
  ])
  const wrongs = [indexed(64), Buffer.from('00', 'hex'), Buffer.from('0f3100', 'hex')]
  for (const wrong of [...wrongs, resize(0)]) {
    t.equal(decode(decoder, Buffer.concat([literal('a', 'x'.repeat(1000)), wrong])), 'wrong')
  }
})

t.test('hpack decoder: strings longer than anything that is taken', async (t) => {
  const limits = { maxHeaderListSize: 5000, maxHeaderFields: 10 }
  const long = 'x'.repeat(6000)
  const forms: Record<string, Buffer> = {
    value: literal('a', long, INCREMENTAL),
    name: literal(long, 'a', INCREMENTAL),
    both: literal(long, long, INCREMENTAL),
    'coded value': Buffer.concat([Buffer.from([0x40]), plain('a'), coded(long)]),
    'coded name': Buffer.concat([Buffer.from([0x40]), coded(long), plain('a')]),
  }
  for (const [form, block] of Object.entries(forms)) {
    const decoder = new HpackDecoder(SIZE, limits)
    decode(decoder, literal('b', '1', INCREMENTAL))
    const { verdict, listing } = read(decoder, block)
    t.equal(verdict, Decoded.tooLarge, form)
    t.same(listing.pairs, [])
    t.same(tableOf(decoder), [], `${form}: the table is empty, as the peer's is`)
    t.same(decode(decoder, literal('c', 'd')), [['c', 'd']])
  }
  const broken = Buffer.concat([Buffer.from([0x40]), plain('a'), integer(0x80, 0x7f, 4000)])
  const zeros = Buffer.concat([broken, Buffer.alloc(4000)])
  t.equal(decode(new HpackDecoder(SIZE, limits), zeros), 'too large')
  zeros[zeros.length - 1] = 0x18
  zeros.fill(0xff, 3000)
  t.equal(decode(new HpackDecoder(SIZE, limits), zeros), 'wrong', 'it is looked at all the same')
})

t.test('hpack decoder: nothing is allocated for a block of what is known', async (t) => {
  const decoder = new HpackDecoder(SIZE)
  decode(
    decoder,
    Buffer.concat([literal('x-a', 'b', INCREMENTAL), literal('x-c', 'd', INCREMENTAL)]),
  )
  const block = Buffer.concat([
    indexed(2, 6, 62, 63),
    Buffer.concat([Buffer.from([0x04]), plain('/a/path?that=is+new')]),
    Buffer.concat([Buffer.from([0x04]), coded('/a/path/that/is/coded')]),
    literal('x-request-id', 'f3b8a1d2-0c5e-4b7a-9d6f-1e2a3b4c5d6e'),
  ])
  let bytes = 0
  const sink = {
    field: (field: { size: number }): void => {
      bytes += field.size
    },
  }
  const rounds = 100_000
  const run = (): void => {
    for (let i = 0; i < rounds; i++) decoder.decode(block, 0, block.length, sink)
  }
  run()
  run()
  const before = process.memoryUsage().heapUsed
  run()
  const grown = process.memoryUsage().heapUsed - before
  t.ok(bytes > 0)
  t.ok(grown / rounds < 4, `${(grown / rounds).toFixed(2)} bytes a block`)
})
