// A short run of the HTTP/2 fuzzer with every test run.

import t from 'tap'
import { fuzzH2 } from './h2.ts'

const INPUTS = 500

t.test('fuzz: whatever frames come, those that are sent are legal', async (t) => {
  for (const seed of [1, 2]) {
    t.comment(`seed ${seed}`)
    const { inputs, heads, failures, resets } = fuzzH2({ seed, count: INPUTS, over: () => false })
    t.equal(inputs, INPUTS, `seed ${seed} comes to its end`)
    t.ok(heads > INPUTS, 'many messages are accepted')
    t.ok(Object.keys(failures).length > 3, 'connections end for many reasons')
    t.ok(Object.keys(resets).length > 6, 'and streams')
  }
})
