// A short run of the HPACK fuzzer with every test run.

import t from 'tap'
import { fuzzHpack } from './hpack.ts'

const INPUTS = 400

t.test('fuzz: HPACK is read as the model reads it, and what is written comes back', async (t) => {
  for (const seed of [1, 2]) {
    t.comment(`seed ${seed}`)
    const tally = fuzzHpack({ seed, count: INPUTS, over: () => false })
    t.comment(JSON.stringify(tally))
    t.equal(tally.inputs, INPUTS, `seed ${seed} comes to its end`)
    t.ok(tally.wrong > 20, 'some blocks are no blocks')
    t.ok(tally.tooLarge > 5, 'some are too large')
    t.ok(tally.fields > 5000, 'many fields go around')
    t.ok(tally.written < tally.plain, 'in fewer bytes than they have')
  }
})
