// Blocks of many encoders, as others have collected them (vectors/README.md).

import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { HpackEncoder } from '../../../../../src/proxy/http/h2/hpack/hpack-encoder.ts'
import { decode, encode, type Pair } from './blocks.ts'

const FOLDER = 'test/proxy/http/h2/hpack/vectors'
const LARGEST = 65_536

interface Case {
  readonly tableSize?: number
  readonly wire: string
  readonly headers: readonly Pair[]
}

function casesOf(file: string): Case[] {
  const lines = readFileSync(`${FOLDER}/${file}`, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Case)
}

const FILES = readdirSync(FOLDER).filter((file) => file.endsWith('.jsonl'))

t.test('hpack vectors: what others have encoded', async (t) => {
  t.ok(FILES.length > 10)
  for (const file of FILES) {
    const decoder = new HpackDecoder(LARGEST)
    for (const [i, { tableSize, wire, headers }] of casesOf(file).entries()) {
      if (tableSize !== undefined) decoder.tableSize(tableSize)
      t.same(decode(decoder, wire), headers, `${file}, block ${i}`)
    }
  }
})

t.test('hpack vectors: the same lists, encoded by us', async (t) => {
  const sizes = { others: 0, ours: 0, plain: 0 }
  for (const file of FILES) {
    const encoder = new HpackEncoder(4096)
    const decoder = new HpackDecoder(4096)
    for (const [i, { wire, headers }] of casesOf(file).entries()) {
      const block = encode(encoder, headers)
      t.same(decode(decoder, block), headers, `${file}, block ${i}`)
      sizes.others += wire.length / 2
      sizes.ours += block.length
      sizes.plain += headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
    }
  }
  t.comment(JSON.stringify(sizes))
  t.ok(sizes.ours < sizes.plain / 2)
})
