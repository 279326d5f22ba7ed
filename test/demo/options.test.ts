import t from 'tap'
import { parseOptions } from '../../demo/options.ts'

t.test('options: defaults, the tour, the rate', async (t) => {
  t.same(parseOptions([]), { isOnce: false, rate: 12 })
  t.same(parseOptions(['--once']), { isOnce: true, rate: 12 })
  t.same(parseOptions(['--rate', '200']), { isOnce: false, rate: 200 })
  t.equal(parseOptions(['-h']), undefined)
})

t.test('options: what is wrong is said', async (t) => {
  for (const rate of ['0', '201', '1.5', '-1', 'x', '']) {
    t.match(parseOptions([`--rate=${rate}`]), /--rate must be a whole number from 1 to 200/, rate)
  }
  t.match(parseOptions(['--twice']), /--twice/)
  t.match(parseOptions(['now']), /now/)
})
