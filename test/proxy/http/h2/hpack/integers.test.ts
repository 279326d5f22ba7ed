// Integers at the edges of what is read.

import t from 'tap'
import {
  Cursor,
  LONGEST_INTEGER,
  writeInteger,
} from '../../../../../src/proxy/http/h2/hpack/integer.ts'
import { integer } from './blocks.ts'

const MASKS = [0x0f, 0x1f, 0x3f, 0x7f, 0xff]
const LARGEST = 2 ** 28 - 1

function read(bytes: Buffer, mask: number): [value: number, at: number] {
  const cursor = new Cursor()
  cursor.begin(bytes, 0, bytes.length)
  return [cursor.integer(mask), cursor.at]
}

t.test('integers: written and read at every edge', async (t) => {
  const edges = [0, 1, 14, 15, 16, 30, 31, 62, 63, 126, 127, 128, 254, 255, 256]
  edges.push(16_383, 16_384, 65_535, 2 ** 21, LARGEST)
  for (const mask of MASKS) {
    for (const value of [...edges, mask + 127, mask + 128]) {
      const written = Buffer.alloc(LONGEST_INTEGER + 1)
      const end = writeInteger(written, 1, 0, mask, value) - 1
      t.ok(end <= LONGEST_INTEGER)
      t.same(written.subarray(1, 1 + end), integer(0, mask, value))
      t.same(read(written.subarray(1, 1 + end), mask), [value, end])
    }
  }
})

t.test('integers: flags stay as they are', async (t) => {
  const to = Buffer.alloc(4)
  writeInteger(to, 0, 0x80, 0x7f, 5)
  t.equal(to[0], 0x85)
  writeInteger(to, 0, 0x20, 0x1f, 31)
  t.same([...to.subarray(0, 2)], [0x3f, 0])
  t.same(read(Buffer.from([0xe3]), 0x1f), [3, 1])
})

t.test('integers: too long, too large or cut off', async (t) => {
  t.same(read(Buffer.from('ffffffff7f', 'hex'), 0x7f), [127 + LARGEST, 5], 'the largest')
  t.equal(read(Buffer.from('ffffffffff01', 'hex'), 0x7f)[0], -1)
  t.equal(read(Buffer.from('ff8080808000', 'hex'), 0x7f)[0], -1, 'zeros that say nothing')
  t.equal(read(Buffer.from('ffffffffffffffffffff', 'hex'), 0x7f)[0], -1)
  t.equal(read(Buffer.from('ff', 'hex'), 0x7f)[0], -1)
  t.equal(read(Buffer.from('ff80', 'hex'), 0x7f)[0], -1)
  t.equal(read(Buffer.from('ff808080', 'hex'), 0x7f)[0], -1)
  t.same(read(Buffer.from('ff8000', 'hex'), 0x7f), [127, 3], 'more bytes than it needs')
})
