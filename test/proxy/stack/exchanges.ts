// Exchanges of a given head, with nobody on either side.

import type { Head } from '../../../src/proxy/http/head.ts'
import { Exchange } from '../../../src/proxy/stack/exchange.ts'
import { exchangeOf } from '../balance/fixture.ts'

export function exchangeWith(head: Head): Exchange {
  const { destination, downstream, source, depth } = exchangeOf([])
  const exchange = new Exchange(destination, downstream, head, source, depth)
  exchange.begin(0)
  return exchange
}
