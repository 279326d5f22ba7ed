// Our encoder against Node's decoder, and our decoder against Node's encoder.

import t from 'tap'
import { type Random, seededRandom } from '../../../../../src/lib/random.ts'
import { HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { HpackEncoder } from '../../../../../src/proxy/http/h2/hpack/hpack-encoder.ts'
import { encode, type Pair, read } from './blocks.ts'
import { ReferencePeer } from './reference-peer.ts'

const NAMES = [
  'x-a',
  'accept',
  'x-request-id',
  'traceparent',
  'etag',
  'cookie',
  'x-long-name-of-ours',
]
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789-_;=/ "~\xe9'.split('')

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T
}

function text(random: Random, most: number): string {
  const length = Math.floor(random() * most)
  return `v${Array.from({ length }, () => pick(random, LETTERS)).join('')}v`
}

function fields(random: Random): Pair[] {
  return Array.from({ length: Math.floor(random() * 12) }, (): Pair => {
    const value = random() < 0.5 ? pick(random, ['one', 'two', 'three']) : text(random, 60)
    return [pick(random, NAMES), value]
  })
}

function request(random: Random): Pair[] {
  const path =
    random() < 0.5 ? pick(random, ['/', '/a', '/b?c=d']) : `/${Math.floor(random() * 1e6)}`
  return [
    [':method', pick(random, ['GET', 'POST', 'PUT'])],
    [':scheme', 'http'],
    [':authority', pick(random, ['a.example', 'b.example:81'])],
    [':path', path],
    ...fields(random),
  ]
}

/** Node joins what it was given twice, and orders it by name. */
function answer(random: Random): Record<string, string> {
  const status = pick(random, ['200', '201', '404', '503'])
  return Object.fromEntries([[':status', status], ...fields(random)])
}

function paired(raw: readonly string[]): Pair[] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] ?? '', raw[2 * i + 1] ?? ''])
}

for (const [itsTable, ourTable] of [
  [4096, 4096],
  [0, 4096],
  [200, 65_536],
  [65_536, 100],
] as const) {
  t.test(`hpack reference: tables of ${itsTable} and ${ourTable} bytes`, async (t) => {
    const seed = itsTable + ourTable
    t.comment(`seed ${seed}`)
    const random = seededRandom(seed)
    const peer = await ReferencePeer.open(itsTable, ourTable)
    const encoder = new HpackEncoder(4096)
    encoder.tableSize(itsTable)
    const decoder = new HpackDecoder(ourTable)
    if (ourTable < 4096) decoder.tableSize(ourTable)
    for (let i = 0; i < 150; i++) {
      const asked = request(random)
      peer.answer = answer(random)
      const { raw, block } = await peer.ask(encode(encoder, asked))
      t.same(paired(raw), asked)
      const { verdict, listing } = read(decoder, block)
      t.equal(verdict, 0)
      t.same(Object.fromEntries(listing.pairs), {
        ...peer.answer,
        date: listing.pairs.find(([name]) => name === 'date')?.[1],
      })
    }
    peer.close()
  })
}

t.test('hpack reference: sizes that change under way', async (t) => {
  const random = seededRandom(11)
  const peer = await ReferencePeer.open(4096, 4096)
  const encoder = new HpackEncoder(4096)
  const decoder = new HpackDecoder(4096)
  for (let i = 0; i < 120; i++) {
    // The encoder may use less than it is allowed, and says so.
    if (random() < 0.3) encoder.tableSize(pick(random, [0, 50, 300, 1000, 4096]))
    const sizes =
      random() < 0.3 ? [pick(random, [0, 60, 500, 4096]), pick(random, [100, 4096])] : []
    for (const size of sizes) {
      peer.settings(size)
      decoder.tableSize(size)
    }
    const asked = request(random)
    peer.answer = answer(random)
    const { raw, block } = await peer.ask(encode(encoder, asked))
    t.same(paired(raw), asked)
    const { verdict, listing } = read(decoder, block)
    t.equal(verdict, 0, `${sizes.join(', ')}: ${block.toString('hex')}`)
    t.equal(listing.pairs[0]?.[1], peer.answer[':status'])
  }
  peer.close()
})

t.test('hpack reference: what is sensitive stays so', async (t) => {
  const peer = await ReferencePeer.open(4096, 4096)
  const encoder = new HpackEncoder(4096)
  const decoder = new HpackDecoder(4096)
  const { sensitiveHeaders } = await import('node:http2')
  peer.answer = { ':status': 200, 'x-secret': 'a', [sensitiveHeaders]: ['x-secret'] }
  const { block } = await peer.ask(encode(encoder, request(seededRandom(1)), ['x-a']))
  t.same(read(decoder, block).listing.sensitive, ['x-secret'])
  peer.close()
})
