import t from 'tap'
import { bar, percent, sideBySide } from '../../demo/bars.ts'

t.test('bars: drawn in eighths, from none to all', async (t) => {
  t.equal(bar(0), '')
  t.equal(bar(1), '█'.repeat(20))
  t.equal(bar(0.5), '█'.repeat(10))
  t.equal(bar(1 / 160), '▏')
  t.equal(bar(2), '█'.repeat(20), 'never longer')
  t.equal(bar(-1), '')
})

t.test('bars: a little is not nothing', async (t) => {
  t.equal(percent(0), '0 %')
  t.equal(percent(0.004), '0.4 %')
  t.equal(percent(0.334), '33 %')
  t.equal(percent(1), '100 %')
})

t.test('bars: shares side by side, and a column that was not seen yet', async (t) => {
  const names = ['one', 'three']
  const now = { title: 'now', counts: [9, 1] }
  t.same(sideBySide(names, [now, { title: 'then', counts: undefined }], 10), [
    '        now                   then',
    'one     █████████   90 %  9',
    'three   █           10 %  1',
  ])
  t.same(sideBySide(names, [now, { title: 'then', counts: [0, 0] }], 10).slice(1), [
    'one     █████████   90 %  9                0 %  0',
    'three   █           10 %  1                0 %  0',
  ])
})
