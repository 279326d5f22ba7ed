// The encoder, held against our decoder, byte for byte where it matters.

import t from 'tap'
import { Field } from '../../../../../src/proxy/http/fields.ts'
import { EncoderTable } from '../../../../../src/proxy/http/h2/hpack/encoder-table.ts'
import { FieldKey } from '../../../../../src/proxy/http/h2/hpack/field-key.ts'
import { NAMES_BY_KIND } from '../../../../../src/proxy/http/h2/hpack/field-name.ts'
import { Pseudo } from '../../../../../src/proxy/http/h2/hpack/header-field.ts'
import { HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { HpackEncoder } from '../../../../../src/proxy/http/h2/hpack/hpack-encoder.ts'
import { decode, encode, integer, literal, type Pair, plain, read, tableOf } from './blocks.ts'

const SIZE = 4096

const REQUEST: readonly Pair[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'reviews.default:9080'],
  [':path', '/reviews.Reviews/List'],
  ['user-agent', 'grpc-node-js/1.10.1'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
  ['x-team', 'a'],
]

t.test('hpack encoder: what comes again is one byte a field', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const decoder = new HpackDecoder(SIZE)
  t.same(decode(decoder, encode(encoder, REQUEST)), REQUEST)
  for (let i = 0; i < 3; i++) {
    const block = encode(encoder, REQUEST)
    t.equal(block.length, REQUEST.length)
    t.same(decode(decoder, block), REQUEST)
  }
})

t.test('hpack encoder: out of the static table', async (t) => {
  const pairs: Pair[] = [
    [':method', 'GET'],
    [':method', 'POST'],
    [':path', '/'],
    [':path', '/index.html'],
    [':scheme', 'https'],
    ['accept-encoding', 'gzip, deflate'],
  ]
  t.equal(encode(new HpackEncoder(SIZE), pairs).toString('hex'), '828384858790')
})

t.test('hpack encoder: names leave in lower case, whoever knows them', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const decoder = new HpackDecoder(SIZE)
  const pairs: Pair[] = [
    ['User-Agent', 'a'],
    ['X-Team', 'b'],
    ['AUTHORIZATION', 'c'],
    ['X-Request-ID', 'd'],
  ]
  const lower: Pair[] = pairs.map(([name, value]) => [name.toLowerCase(), value])
  for (let i = 0; i < 2; i++) t.same(decode(decoder, encode(encoder, pairs)), lower)
  t.same(decode(decoder, encode(encoder, lower)), lower)
  const bytes = Buffer.from('X-REQUEST-ID: e', 'latin1')
  encoder.begin()
  encoder.field(bytes, 0, 12, 14, 15, Field.xRequestId)
  t.same(decode(decoder, Buffer.from(encoder.block.subarray(0, encoder.length))), [
    ['x-request-id', 'e'],
  ])
})

t.test('hpack encoder: secrets are never indexed', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const decoder = new HpackDecoder(SIZE)
  const secrets: Pair[] = [
    ['authorization', `Bearer ${'x'.repeat(100)}`],
    ['proxy-authorization', 'Basic abc'],
    ['cookie', 'pin=1234'],
    ['set-cookie', 'pin=1234'],
    ['x-marked', 'y'],
  ]
  for (let i = 0; i < 3; i++) {
    const block = encode(encoder, [...secrets, [':path', '/']], ['x-marked'])
    const { listing } = read(decoder, block)
    t.same(listing.pairs, [...secrets, [':path', '/']])
    t.same(
      listing.sensitive,
      secrets.map(([name]) => name),
    )
  }
  t.same(tableOf(decoder), [])
  const long: Pair = ['cookie', 'session=0123456789abcdef0123456789abcdef']
  decode(decoder, encode(encoder, [long]))
  t.same(tableOf(decoder), [long], 'a long cookie cannot be guessed')
  t.equal(encode(encoder, [long]).length, 1)
  t.same(read(decoder, encode(encoder, [long], ['cookie'])).listing.sensitive, ['cookie'])
})

t.test('hpack encoder: of what is unique only the name is in the table', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const decoder = new HpackDecoder(SIZE)
  for (let i = 0; i < 100; i++) {
    const pairs: Pair[] = [
      ['traceparent', `00-${String(i).padStart(32, '0')}-00f067aa0ba902b7-01`],
      ['x-request-id', `request-${i}`],
      ['grpc-timeout', `${i}m`],
      ['etag', `"${i}"`],
      [':path', `/search?q=${i}`],
    ]
    const block = encode(encoder, pairs)
    t.same(decode(decoder, block), pairs)
    if (i > 0) t.ok(block.length < 55 + 12 + 3 + 5 + 14 + 10, `${block.length} bytes`)
  }
  t.same(
    tableOf(decoder).map(([name]) => name),
    ['grpc-timeout', 'x-request-id', 'traceparent'],
  )
})

t.test('hpack encoder: learns which values do not come again', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const decoder = new HpackDecoder(SIZE)
  for (let i = 0; i < 400; i++) {
    const pairs: Pair[] = [
      ['x-stable', 'always the same'],
      ['x-novel', `value ${i}`],
    ]
    t.same(decode(decoder, encode(encoder, pairs)), pairs)
  }
  const table = tableOf(decoder)
  t.ok(table.length < 30, `${table.length} entries after 400 blocks`)
  const settled: Pair[] = [
    ['x-stable', 'always the same'],
    ['x-novel', 'settled'],
  ]
  let rounds = 0
  while (encode(encoder, settled).length > 2 && rounds < 100) rounds++
  t.ok(rounds < 40, `finds out within ${rounds} blocks that it comes again now`)
})

t.test('hpack encoder: what would take half of the table stays out of it', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const decoder = new HpackDecoder(SIZE)
  const large: Pair = ['x-large', 'x'.repeat(2100)]
  t.same(decode(decoder, encode(encoder, [['x-a', 'b'], large])), [['x-a', 'b'], large])
  t.same(tableOf(decoder), [['x-a', 'b']])
  const huge: Pair = ['x-huge', 'y'.repeat(60_000)]
  t.same(decode(decoder, encode(encoder, [huge])), [huge])
  t.ok(encoder.block.length > 60_000)
  encoder.begin()
  t.ok(encoder.block.length < 10_000, 'its memory is given back')
})

t.test('hpack encoder: statuses', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const decoder = new HpackDecoder(SIZE)
  for (const status of [100, 200, 204, 206, 304, 400, 404, 500, 201, 302, 503, 599, 201]) {
    encoder.begin()
    encoder.status(status)
    const block = Buffer.from(encoder.block.subarray(0, encoder.length))
    t.same(decode(decoder, block), [[':status', `${status}`]])
  }
  t.equal(encoder.length, 1)
})

t.test('hpack encoder: sizes of the table', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const update = (size: number): string => integer(0x20, 0x1f, size).toString('hex')
  const begun = (): string => encode(encoder, []).toString('hex')
  t.equal(begun(), '', '4096 is what everybody begins with')
  encoder.tableSize(65_536)
  t.equal(begun(), '', 'no more than ours')
  encoder.tableSize(1000)
  t.equal(begun(), update(1000))
  t.equal(begun(), '', 'once')
  encoder.tableSize(0)
  encoder.tableSize(2000)
  t.equal(begun(), update(0) + update(2000), 'the lowest in between, and the last')
  encoder.tableSize(500)
  encoder.tableSize(100)
  encoder.tableSize(300)
  t.equal(begun(), update(100) + update(300))
  encoder.tableSize(400)
  t.equal(begun(), update(400))
  t.equal(encode(new HpackEncoder(0), []).toString('hex'), '20', 'ours may be none at all')
})

t.test('hpack encoder: without a table nothing is put into it', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  encoder.tableSize(0)
  const decoder = new HpackDecoder(SIZE)
  decoder.tableSize(0)
  for (let i = 0; i < 3; i++) t.same(decode(decoder, encode(encoder, REQUEST)), REQUEST)
  const block = encode(encoder, [['x-request-id', 'a']])
  t.same(block, literal('x-request-id', 'a'))
  const named = encode(encoder, [['user-agent', 'a']])
  t.same(named, Buffer.concat([Buffer.from([0x0f, 58 - 15]), plain('a')]))
})

t.test('hpack encoder: its table begins its numbers again in time', async (t) => {
  const key = new FieldKey()
  const insert = (table: EncoderTable, name: string, value: string): void => {
    set(name, value)
    table.find(key)
    table.insert(key)
  }
  const set = (name: string, value: string): void => {
    const bytes = Buffer.from(name + value, 'latin1')
    key.setName(bytes, 0, name.length)
    key.setValue(bytes, name.length, bytes.length)
  }
  const table = new EncoderTable(10 * 40, 0x3fff_ffff - 25)
  for (let i = 0; i < 60; i++) {
    insert(table, 'name', `${i + 1000}`)
    t.equal(table.count, Math.min(i + 1, 10))
    for (let age = 0; age < table.count; age++) {
      set('Name', `${i - age + 1000}`)
      if (table.find(key) !== age + 1) t.fail(`${i}, ${age}`)
    }
    set('name', `${i - 10 + 1000}`)
    t.equal(table.find(key), 0, 'gone')
    t.equal(table.findName(key), 1)
  }
})

t.test('hpack encoder: values of one hash are told apart', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const decoder = new HpackDecoder(SIZE)
  // They differ where the hash does not look.
  const values = Array.from({ length: 16 }, (_, i) => {
    return `${'v'.repeat(100)}${String.fromCharCode(0x61 + i)}${'v'.repeat(100)}`
  })
  for (let round = 0; round < 3; round++) {
    const pairs = values.map((value): Pair => ['x-a', value])
    t.same(decode(decoder, encode(encoder, pairs)), pairs)
  }
})

t.test('hpack encoder: names by code are the names', async (t) => {
  for (const [name, kind] of Object.entries(Field)) {
    const known = NAMES_BY_KIND[kind]
    const bytes = Buffer.from(known?.bytes ?? '')
    t.equal(bytes.toString().replaceAll('-', ''), name.toLowerCase())
    const key = new FieldKey()
    key.setName(Buffer.from(bytes.toString().toUpperCase()), 0, bytes.length)
    t.equal(key.known, known, 'found by its bytes too')
  }
  const encoder = new HpackEncoder(SIZE)
  encoder.begin()
  encoder.pseudo(Pseudo.authority, Buffer.from('a:1'), 0, 3)
  t.same(decode(new HpackDecoder(SIZE), Buffer.from(encoder.block.subarray(0, encoder.length))), [
    [':authority', 'a:1'],
  ])
})

t.test('hpack encoder: nothing is allocated for a block', async (t) => {
  const encoder = new HpackEncoder(SIZE)
  const name = 'x-some-id'
  const bytes = Buffer.from(`${name}: 0123456789`, 'latin1')
  const path = Buffer.from('/a/b/c')
  const rounds = 100_000
  const run = (): void => {
    for (let i = 0; i < rounds; i++) {
      bytes[bytes.length - 1] = 0x30 + (i % 10)
      bytes[bytes.length - 2] = 0x30 + (Math.floor(i / 10) % 10)
      encoder.begin()
      encoder.status(201)
      encoder.pseudo(Pseudo.path, path, 0, path.length)
      encoder.field(bytes, 0, name.length, name.length + 2, bytes.length, Field.other)
    }
  }
  run()
  run()
  const before = process.memoryUsage().heapUsed
  run()
  const grown = process.memoryUsage().heapUsed - before
  t.ok(grown / rounds < 4, `${(grown / rounds).toFixed(2)} bytes a block`)
})
