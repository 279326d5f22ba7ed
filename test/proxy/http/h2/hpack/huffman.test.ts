// The Huffman code: every symbol, every way to end, everything that is no code.

import t from 'tap'
import { seededRandom } from '../../../../../src/lib/random.ts'
import { CODE_LENGTHS, CODES, EOS } from '../../../../../src/proxy/http/h2/hpack/huffman-code.ts'
import {
  HuffmanDecoder,
  mostLength,
} from '../../../../../src/proxy/http/h2/hpack/huffman-decoder.ts'
import { OCTETS } from '../../../../../src/proxy/http/h2/hpack/octets.ts'
import { codeText, huffman, packed } from './huffman-writer.ts'

const decoder = new HuffmanDecoder()

/** The text, or undefined if the bytes are no code. */
function decode(bytes: Buffer): Buffer | undefined {
  const to = Buffer.alloc(mostLength(bytes.length) + 3)
  const end = decoder.read(bytes, 0, bytes.length, to, 1)
  const length = decoder.length(bytes, 0, bytes.length)
  if (length !== (end < 0 ? -1 : end - 1)) throw new Error('two answers on the length')
  return end < 0 ? undefined : to.subarray(1, end)
}

t.test('huffman: some codes as the RFC has them', async (t) => {
  const codes: [number, number, number][] = [
    [0, 0x1ff8, 13],
    [48, 0x0, 5],
    [97, 0x3, 5],
    [32, 0x14, 6],
    [90, 0xfd, 8],
    [92, 0x7fff0, 19],
    [195, 0x7fff1, 19],
    [255, 0x3ffffee, 26],
    [10, 0x3ffffffc, 30],
    [EOS, 0x3fffffff, 30],
  ]
  for (const [symbol, code, length] of codes) {
    t.equal(CODES[symbol], code)
    t.equal(CODE_LENGTHS[symbol], length)
  }
  const total = CODE_LENGTHS.reduce((sum, length) => sum + 2 ** -length, 0)
  t.equal(total, 1, 'no code is left over')
})

t.test('huffman: every pair of symbols comes back', async (t) => {
  let wrong = 0
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const text = Buffer.from([first, second])
      const code = huffman(text)
      const to = Buffer.alloc(16)
      const end = decoder.read(code, 0, code.length, to, 0)
      if (end !== 2 || !to.subarray(0, 2).equals(text)) wrong++
      if (decoder.octets !== ((OCTETS[first] ?? 0) & (OCTETS[second] ?? 0))) wrong++
    }
  }
  t.equal(wrong, 0)
})

t.test('huffman: long random texts come back, in as many bytes as they should', async (t) => {
  const random = seededRandom(3)
  for (let i = 0; i < 300; i++) {
    const text = Buffer.from(Array.from({ length: i }, () => Math.floor(random() * 256)))
    t.same(decode(huffman(text)), text)
  }
})

t.test('huffman: padding is up to seven ones', async (t) => {
  t.same(decode(Buffer.alloc(0)), Buffer.alloc(0))
  t.same(decode(packed('00000'.repeat(8))), Buffer.from('0'.repeat(8)), 'none')
  const a = codeText(0x61)
  t.same(decode(packed(`${a}111`)), Buffer.from('a'), 'three')
  t.same(decode(packed(`${codeText(0x3a)}1`)), Buffer.from(':'), 'one')
  t.same(decode(packed(`${a.repeat(5)}1111111`)), Buffer.from('aaaaa'), 'seven')
  t.equal(decode(packed(`${a}11111111111`)), undefined, 'eleven')
  t.equal(decode(packed('11111111')), undefined, 'eight')
  t.equal(decode(packed('1'.repeat(16))), undefined, 'sixteen')
  t.equal(decode(packed(`${a}110`)), undefined, 'not all of it ones')
  t.equal(decode(packed(`${a}000`)), undefined, 'zeros')
  t.equal(decode(packed(`${a.repeat(5)}1111110`)), undefined, 'ends in a zero')
})

t.test('huffman: EOS is no symbol, wherever it stands', async (t) => {
  const a = codeText(0x61)
  for (let before = 0; before < 16; before++) {
    for (const after of ['', a, a.repeat(30)]) {
      t.equal(decode(packed(`${a.repeat(before)}${codeText(EOS)}${after}`)), undefined)
    }
  }
})

t.test('huffman: a code that is cut off is none', async (t) => {
  for (let symbol = 0; symbol < 256; symbol++) {
    const code = codeText(symbol)
    for (let length = 8; length < code.length; length += 8) {
      t.equal(decode(packed(code.slice(0, length))), undefined, `${symbol} after ${length} bits`)
    }
  }
})
