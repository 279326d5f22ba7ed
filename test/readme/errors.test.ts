// The table of errors in the README and the one in the code are the same, both ways.

import t from 'tap'
import { ERRORS } from '../../src/lib/errors.ts'
import { grpcName } from '../../src/lib/grpc-status.ts'
import { readme, tableBelow } from './table.ts'

t.test('readme: every error of the code is in its table, and no other', async (t) => {
  const [, ...rows] = tableBelow(readme(), 'Errors')
  const known = Object.entries(ERRORS).map(([code, { proxyStatus, status, grpc, title }]) => {
    return [code, proxyStatus, String(status), grpcName(grpc), title]
  })
  t.same(rows.sort(), known.sort())
})
