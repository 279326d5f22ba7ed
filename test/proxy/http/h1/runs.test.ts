// The word-wise loops against the plain one: every byte at every place, among neighbours that words trip over.

import t from 'tap'
import { CLASS, HEX, HOST, TARGET, TEXT, TOKEN } from '../../../../src/proxy/http/characters.ts'
import { runEnd, textEnd } from '../../../../src/proxy/http/runs.ts'

const LENGTH = 27
const NEIGHBOURS = [0x61, 0x20, 0x09, 0x7e, 0x80, 0xff, 0x21]

function plainEnd(bytes: Uint8Array, from: number, stop: number, kind: number): number {
  let at = from
  while (at < stop && ((CLASS[bytes[at] ?? 0] ?? 0) & kind) !== 0) at++
  return at
}

/** The first case in which the two differ. */
function difference(kinds: readonly number[], fast: typeof runEnd): string | undefined {
  for (const neighbour of NEIGHBOURS) {
    const bytes = new Uint8Array(LENGTH).fill(neighbour)
    const view = new DataView(bytes.buffer)
    for (let place = 0; place < LENGTH; place++) {
      for (let byte = 0; byte < 256; byte++) {
        bytes[place] = byte
        for (const kind of kinds) {
          const from = byte % 3
          const stop = LENGTH - (byte % 5)
          const plain = plainEnd(bytes, from, stop, kind)
          const end = fast(view, from, stop, kind)
          if (plain !== end) return `${byte} at ${place} among ${neighbour}: ${end}, not ${plain}`
        }
      }
      bytes[place] = neighbour
    }
  }
  return undefined
}

t.test('runs: pairs end where single bytes do', async (t) => {
  t.equal(difference([TOKEN, TEXT, TARGET, HOST, HEX], runEnd), undefined)
})

t.test('runs: words end where single bytes do', async (t) => {
  t.equal(
    difference([TEXT], (view, from, stop) => textEnd(view, from, stop)),
    undefined,
  )
})

t.test('runs: nothing is read at or behind the stop', async (t) => {
  const view = new DataView(new Uint8Array(9).fill(0x61).buffer)
  for (let stop = 0; stop <= 9; stop++) {
    t.equal(textEnd(view, 0, stop), stop)
    t.equal(runEnd(view, 0, stop, TOKEN), stop)
    t.equal(runEnd(view, stop, stop, TOKEN), stop)
  }
})
