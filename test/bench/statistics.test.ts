// Medians, spreads and ratios.

import t from 'tap'
import { median, ratios, summarize } from '../../bench/statistics.ts'

t.test(
  'statistics: the median is the middle, and of an even number the mean of the two',
  async (t) => {
    t.equal(median([9, 1, 5]), 5)
    t.equal(median([10, 1, 2, 3]), 2.5)
    t.equal(median([7]), 7)
    t.ok(Number.isNaN(median([])), 'nothing has no median')
  },
)

t.test('statistics: numbers are sorted as numbers, and the input stays as it was', async (t) => {
  const values = [100, 9, 20]
  t.same(summarize(values), { median: 20, min: 9, max: 100 })
  t.same(values, [100, 9, 20])
})

t.test('statistics: ratios are made round by round', async (t) => {
  // A round that was slow for both keeps its ratio, which dividing the medians would lose.
  t.same(ratios([10, 40, 12], [10, 20, 8]), [1, 2, 1.5])
  t.throws(() => ratios([1, 2], [1]), /both sides/)
})
