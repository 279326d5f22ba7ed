// The examples of RFC 7541 appendix C.

import t from 'tap'
import { HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { Cursor, writeInteger } from '../../../../../src/proxy/http/h2/hpack/integer.ts'
import { decode, type Pair, read, tableOf } from './blocks.ts'

const SIZE = 4096

function sizeOf(pairs: readonly Pair[]): number {
  return pairs.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0)
}

t.test('hpack: the integers of C.1', async (t) => {
  const examples: [string, number, number][] = [
    ['0a', 0x1f, 10],
    ['1f9a0a', 0x1f, 1337],
    ['2a', 0xff, 42],
  ]
  for (const [hex, mask, value] of examples) {
    const bytes = Buffer.from(hex, 'hex')
    const cursor = new Cursor()
    cursor.begin(bytes, 0, bytes.length)
    t.equal(cursor.integer(mask), value)
    t.equal(cursor.at, bytes.length)
    const written = Buffer.alloc(8)
    const end = writeInteger(written, 0, 0, mask, value)
    t.equal(written.toString('hex', 0, end), hex)
  }
})

t.test('hpack: the fields of C.2', async (t) => {
  const indexed = new HpackDecoder(SIZE)
  t.same(decode(indexed, '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'), [
    ['custom-key', 'custom-header'],
  ])
  t.equal(sizeOf(tableOf(indexed)), 55)
  const other = new HpackDecoder(SIZE)
  t.same(decode(other, '040c 2f73 616d 706c 652f 7061 7468'), [[':path', '/sample/path']])
  const { listing } = read(other, '1008 7061 7373 776f 7264 0673 6563 7265 74')
  t.same(listing.pairs, [['password', 'secret']])
  t.same(listing.sensitive, ['password'])
  t.same(decode(other, '82'), [[':method', 'GET']])
  t.same(tableOf(other), [])
})

const REQUESTS: readonly (readonly Pair[])[] = [
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ],
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
    ['cache-control', 'no-cache'],
  ],
  [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/index.html'],
    [':authority', 'www.example.com'],
    ['custom-key', 'custom-value'],
  ],
]

t.test('hpack: the requests of C.3 and C.4', async (t) => {
  const plain = [
    '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    '8286 84be 5808 6e6f 2d63 6163 6865',
    '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
  ]
  const coded = [
    '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
    '8286 84be 5886 a8eb 1064 9cbf',
    '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
  ]
  for (const blocks of [plain, coded]) {
    const decoder = new HpackDecoder(SIZE)
    for (const [i, block] of blocks.entries()) {
      t.same(decode(decoder, block), REQUESTS[i])
      t.equal(sizeOf(tableOf(decoder)), [57, 110, 164][i])
    }
    t.same(tableOf(decoder), [
      ['custom-key', 'custom-value'],
      ['cache-control', 'no-cache'],
      [':authority', 'www.example.com'],
    ])
  }
})

const DATE: Pair = ['date', 'Mon, 21 Oct 2013 20:13:21 GMT']
const LATER: Pair = ['date', 'Mon, 21 Oct 2013 20:13:22 GMT']
const LOCATION: Pair = ['location', 'https://www.example.com']
const CACHE: Pair = ['cache-control', 'private']
const COOKIE: Pair = ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1']
const RESPONSES: readonly (readonly Pair[])[] = [
  [[':status', '302'], CACHE, DATE, LOCATION],
  [[':status', '307'], CACHE, DATE, LOCATION],
  [[':status', '200'], CACHE, LATER, LOCATION, ['content-encoding', 'gzip'], COOKIE],
]
const TABLES: readonly (readonly Pair[])[] = [
  [LOCATION, DATE, CACHE, [':status', '302']],
  [[':status', '307'], LOCATION, DATE, CACHE],
  [COOKIE, ['content-encoding', 'gzip'], LATER],
]

t.test('hpack: the responses of C.5 and C.6, with eviction', async (t) => {
  const plain = [
    '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    '4803 3330 37c1 c0bf',
    '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
  ]
  const coded = [
    '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
    '4883 640e ffc1 c0bf',
    '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
  ]
  for (const blocks of [plain, coded]) {
    const decoder = new HpackDecoder(SIZE)
    t.same(decode(decoder, '3fe101'), [])
    for (const [i, block] of blocks.entries()) {
      t.same(decode(decoder, block), RESPONSES[i])
      t.same(tableOf(decoder), TABLES[i])
    }
  }
})
