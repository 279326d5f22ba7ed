// `npm run fuzz`: each of the fuzzers for a while, or one of them, from a new seed or a given one.
//
// `npm run fuzz -- --codec h2 --seed 7 --seconds 60 --count 1000000`. A failure prints the seed; the same seed finds it
// again.

import { parseArgs } from 'node:util'
import { type Bounds, fuzz } from './h1.ts'
import { fuzzH2 } from './h2.ts'
import { fuzzHpack } from './hpack.ts'

const FUZZERS = new Map<string, (bounds: Bounds) => object>([
  ['h1', fuzz],
  ['h2', fuzzH2],
  ['hpack', fuzzHpack],
])

const { values } = parseArgs({
  options: {
    codec: { type: 'string' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
    seconds: { type: 'string', default: '30' },
    count: { type: 'string', default: '10000000' },
  },
})

const { codec } = values
if (codec !== undefined && !FUZZERS.has(codec)) {
  throw new Error(`no fuzzer for ${codec}: ${[...FUZZERS.keys()].join(', ')}`)
}
const seed = Number(values.seed)
process.stdout.write(`seed ${seed}\n`)
for (const [name, each] of FUZZERS) {
  if (codec !== undefined && codec !== name) continue
  const until = performance.now() + 1000 * Number(values.seconds)
  const tally = each({ seed, count: Number(values.count), over: () => performance.now() > until })
  process.stdout.write(`${name} ${JSON.stringify(tally, undefined, 2)}\n`)
}
