// The original destination as the kernel tells it; redirected connections themselves are tested in pods, with real
// rules (test/mesh/init-traffic.test.ts).

import t from 'tap'
import { MeshError } from '../../src/lib/errors.ts'
import { originalDestination } from '../../src/lib/socket-option.ts'

t.test('originalDestination: what the kernel refuses is an error with its number', async (t) => {
  for (const family of [4, 6] as const) {
    try {
      originalDestination(-1, family)
      t.fail('should throw')
    } catch (error) {
      t.ok(error instanceof MeshError)
      t.match(error, { code: 'original-destination-unknown', context: { errno: 9, family } })
    }
  }
})
