// `npm run fuzz`: the fuzzers for a while, from a new seed or a given one.
//
// `npm run fuzz -- --codec h2 --seed 7 --seconds 60 --count 1000000`. A failure prints the seed; the same seed finds it
// again.

import { parseArgs } from 'node:util'
import { fuzz } from './h1.ts'
import { fuzzH2 } from './h2.ts'

const { values } = parseArgs({
  options: {
    codec: { type: 'string', default: 'h1' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
    seconds: { type: 'string', default: '30' },
    count: { type: 'string', default: '10000000' },
  },
})

const seed = Number(values.seed)
const until = performance.now() + 1000 * Number(values.seconds)
process.stdout.write(`seed ${seed}\n`)
const run = values.codec === 'h2' ? fuzzH2 : fuzz
const tally = run({ seed, count: Number(values.count), over: () => performance.now() > until })
process.stdout.write(`${JSON.stringify(tally, undefined, 2)}\n`)
