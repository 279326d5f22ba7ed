// An application that stands still: what it was sent and nobody wants any more keeps its places, so that it finds
// little when it goes on.

import t from 'tap'
import type { ConcurrencyRules } from '../../../src/proxy/resilience/admission.ts'
import { answering, type BackendConnection } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get } from '../l7/fixture.ts'
import { Pod } from './pod.ts'

const RULES: ConcurrencyRules = { limit: 2, pending: 100, adaptive: 'off', min: 1 }
const SHORT = get('/', 'x-envoy-expected-rq-timeout-ms: 200\r\n')

t.test(
  'owed places: requests that were cut keep theirs until the application answers',
  async (t) => {
    const waiting: BackendConnection[] = []
    const server = await backend(
      t,
      answering((_, connection) => {
        waiting.push(connection)
        return undefined
      }),
    )
    const f = await Pod.start(t, server, { concurrency: RULES })
    const cut = async (): Promise<void> => {
      const before = waiting.length
      await (await f.client()).send(SHORT)
      await until('it is there', () => waiting.length > before)
      f.clock.advance(250)
    }
    await cut()
    // Nobody else could be answered: the place of the first is given away at once, but not those of the next.
    await f.loaded(0, 0)
    await cut()
    await f.loaded(1, 0)
    await cut()
    await f.loaded(2, 0)
    const third = await f.client()
    await third.send(get('/third'))
    await f.loaded(2, 1)
    t.equal(waiting.length, 3, 'it was not sent on')
    // One a second is a probe.
    f.clock.advance(1000)
    await f.loaded(2, 0)
    const fourth = await f.client()
    await fourth.send(get('/fourth'))
    await f.loaded(2, 1)
    await until('the third is there', () => waiting.length === 4)
    waiting.at(-1)?.write(ok('x'))
    await third.until((text) => messages(text).length === 1)
    // The answer proves it alive: nothing is owed, and the fourth goes on.
    await f.loaded(1, 0)
    await until('the fourth is there', () => waiting.length === 5)
    waiting.at(-1)?.write(ok('x'))
    await fourth.until((text) => messages(text).length === 1)
    await f.loaded(0, 0)
  },
)

t.test(
  'owed places: without an answer they are free one by one, and no timer is left',
  async (t) => {
    const server = await backend(t, () => undefined)
    const f = await Pod.start(t, server, { concurrency: { ...RULES, limit: 3 } })
    const timers = f.clock.timers
    for (const count of [1, 2, 3]) {
      await (await f.client()).send(SHORT)
      await until('it is there', () => server.requests.length === count)
    }
    f.clock.advance(250)
    await f.loaded(2, 0)
    for (const left of [1, 0]) {
      f.clock.advance(1000)
      await f.loaded(left, 0)
    }
    f.clock.advance(5000)
    t.equal(f.clock.timers, timers)
  },
)

t.test('owed places: a request that was not sent owes nothing', async (t) => {
  const server = await backend(t, () => undefined)
  const f = await Pod.start(t, server, { concurrency: { ...RULES, limit: 1 } })
  await (await f.client()).send(get())
  await f.loaded(1, 0)
  await (await f.client()).send(SHORT)
  await f.loaded(1, 1)
  f.clock.advance(250)
  await f.loaded(1, 0)
})
