// For how long an endpoint is avoided that cannot be connected to.

import t from 'tap'
import { ConnectionCounters } from '../../../src/proxy/stack/counters.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'

function make(): Endpoint {
  const counters = new ConnectionCounters('outbound', 'a', 'b')
  return new Endpoint({ ip: '10.1.0.1', port: 80 }, 1, counters)
}

t.test('endpoint: attempts that were under way together fail once', async (t) => {
  const endpoint = make()
  for (let at = 0; at < 50; at += 1) endpoint.connectFailed(1000 + at, 990)
  t.equal(endpoint.avoidUntil, 2000)
  endpoint.connectFailed(2100, 2050)
  t.equal(endpoint.avoidUntil, 4100, 'the next one counts')
  endpoint.proved()
  endpoint.connectFailed(5000, 4999)
  t.equal(endpoint.avoidUntil, 6000)
})

t.test('endpoint: one attempt at a time finds out whether it is there again', async (t) => {
  const endpoint = make()
  endpoint.connectFailed(1000)
  t.equal(endpoint.avoidUntil, 2000)
  endpoint.probing(2000, 700)
  t.equal(endpoint.avoidUntil, 2700, 'the others wait for its answer')
  endpoint.proved()
  t.ok(endpoint.avoidUntil < 2000, 'it is there: nobody waits')
  t.equal(endpoint.failures, 0)
})

t.test(
  'endpoint: one that finds out that it is not makes the others wait for longer',
  async (t) => {
    const endpoint = make()
    endpoint.connectFailed(1000)
    endpoint.probing(2000, 700)
    endpoint.connectFailed(2100, 2000)
    t.equal(endpoint.avoidUntil, 4100)
  },
)

t.test('endpoint: one that says nothing makes them wait for its patience only', async (t) => {
  const endpoint = make()
  endpoint.connectFailed(1000)
  endpoint.probing(2000, 700)
  endpoint.probing(2700, 700)
  t.equal(endpoint.avoidUntil, 3400, 'the next one goes')
  endpoint.connectFailed(4000, 3900)
  endpoint.probing(4100, 700)
  t.equal(endpoint.avoidUntil, 6000, 'one that goes for lack of others shortens nothing')
})

t.test('endpoint: where nothing failed nobody waits', async (t) => {
  const endpoint = make()
  endpoint.probing(1000, 700)
  t.ok(endpoint.avoidUntil < 1000)
})
