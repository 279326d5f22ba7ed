// `npm run fuzz`: each of the fuzzers for a while, from a new seed or a given one.
//
// `npm run fuzz -- --seed 7 --seconds 60 --count 1000000`. A failure prints the seed; the same seed finds it again.

import { parseArgs } from 'node:util'
import { fuzz } from './h1.ts'
import { fuzzHpack } from './hpack.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
    seconds: { type: 'string', default: '30' },
    count: { type: 'string', default: '10000000' },
  },
})

const seed = Number(values.seed)
process.stdout.write(`seed ${seed}\n`)
for (const each of [fuzz, fuzzHpack]) {
  const until = performance.now() + 1000 * Number(values.seconds)
  const tally = each({ seed, count: Number(values.count), over: () => performance.now() > until })
  process.stdout.write(`${JSON.stringify(tally, undefined, 2)}\n`)
}
