import t from 'tap'
import { HalfSipHash } from '../../src/lib/half-sip-hash.ts'

/** Of the reference implementation: key 00 01 .. 07, and as many bytes 00 01 02 .. as the index says. */
const VECTORS: Readonly<Record<number, string>> = {
  0: '218d1f59b9b83cc8',
  1: 'be552412f8387315',
  2: '064f39ef7c50eb57',
  3: 'ce0f1a45f7060679',
  4: 'd5e78a175be52ea1',
  7: 'ff202728b07bc684',
  8: 'edfee820bce4858c',
  15: '217d0bcb4e81c902',
  16: '7336aad25f7bf3b5',
  36: '86d67a40ec4276dc',
  63: '2ea63c71bf326087',
}

const hash = (): HalfSipHash => new HalfSipHash(0x03020100, 0x07060504)

function shown({ out }: HalfSipHash): string {
  const bytes = Buffer.alloc(8)
  bytes.writeInt32LE(out[0] ?? 0, 0)
  bytes.writeInt32LE(out[1] ?? 0, 4)
  return bytes.toString('hex')
}

t.test('half sip hash: what the reference implementation says', async (t) => {
  const bytes = Uint8Array.from({ length: 70 }, (_, at) => (at - 3) & 255)
  const one = hash()
  for (const [length, expected] of Object.entries(VECTORS)) {
    one.bytes(bytes, 3, 3 + Number(length))
    t.equal(shown(one), expected, `${length} bytes`)
  }
})

t.test('half sip hash: words are their bytes', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 16 }, (_, at) => at))
  const words = Int32Array.from([9, ...[0, 4, 8, 12].map((at) => bytes.readInt32LE(at))])
  const one = hash()
  one.words(words, 1, 4)
  t.equal(shown(one), VECTORS[16])
})

t.test('half sip hash: another key, another hash', async (t) => {
  const bytes = Buffer.from('a')
  const seen = new Set<string>()
  for (const [first, second] of [
    [0, 0],
    [1, 0],
    [0, 1],
    [-1, 0xffffffff],
  ] as const) {
    const one = new HalfSipHash(first, second)
    one.bytes(bytes, 0, 1)
    seen.add(shown(one))
  }
  t.equal(seen.size, 4)
})
