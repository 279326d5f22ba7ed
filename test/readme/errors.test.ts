// The table of errors in the README and the one in the code are the same, both ways.

import t from 'tap'
import { ERRORS } from '../../src/lib/errors.ts'
import { readme, tableBelow } from './table.ts'

t.test('readme: every error of the code is in its table, and no other', async (t) => {
  const [, ...rows] = tableBelow(readme(), 'Errors')
  const known = Object.entries(ERRORS).map(([code, { proxyStatus }]) => [code, proxyStatus])
  t.same(rows.map(([code, type]) => [code, type]).sort(), known.sort())
  for (const [code, , meaning] of rows) t.ok((meaning ?? '').length > 10, `${code} has a meaning`)
})
