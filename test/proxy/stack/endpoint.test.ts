// For how long an endpoint is avoided that cannot be connected to.

import t from 'tap'
import { ConnectionCounters } from '../../../src/proxy/stack/counters.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'

t.test('endpoint: attempts that were under way together fail once', async (t) => {
  const counters = new ConnectionCounters('outbound', 'a', 'b')
  const endpoint = new Endpoint({ ip: '10.1.0.1', port: 80 }, 1, counters)
  for (let at = 0; at < 50; at += 1) endpoint.connectFailed(1000 + at, 990)
  t.equal(endpoint.avoidUntil, 2000)
  endpoint.connectFailed(2100, 2050)
  t.equal(endpoint.avoidUntil, 4100, 'the next one counts')
  endpoint.proved()
  endpoint.connectFailed(5000, 4999)
  t.equal(endpoint.avoidUntil, 6000)
})
