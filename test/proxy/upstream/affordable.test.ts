// How many connections a process may carry with the file descriptors that it has.

import t from 'tap'
import { descriptorLimit } from '../../../src/lib/descriptors.ts'
import { affordable } from '../../../src/proxy/upstream/sessions.ts'

t.test('affordable: two descriptors for each connection, and some to spare', async (t) => {
  t.equal(affordable(20_000, 1_048_576), 20_000, 'enough for what is wanted')
  t.equal(affordable(20_000, Number.POSITIVE_INFINITY), 20_000, 'nobody says how many')
  t.equal(affordable(20_000, 1024), 488)
  t.equal(affordable(100, 1024), 100)
  t.equal(affordable(20_000, 10), 1, 'never none: the system itself says what it lacks')
})

t.test('descriptorLimit: what the system says of this process', async (t) => {
  const limit = descriptorLimit()
  t.ok(limit > 0, `${limit}`)
})
