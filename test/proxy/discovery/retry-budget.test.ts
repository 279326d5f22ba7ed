// Whose retry budget is put in force, and when it is left alone.

import t from 'tap'
import { SlidingBudget } from '../../../src/proxy/resilience/sliding-budget.ts'
import { policy, service, slice, World } from './fixture.ts'

const STATE = { services: [service()], endpointSlices: [slice(['10.1.0.1'])] }

t.test('catalog: every Service has a retry budget, shared by its endpoints', async (t) => {
  const world = new World()
  world.update(STATE)
  const found = world.named('shop.default')
  t.ok(found.retryBudget instanceof SlidingBudget)
  t.equal(found.retryBudget?.left(0), 100, 'the usual one')
  const direct = world.catalog.table.find('10.1.0.1', 8080)
  t.equal(direct?.retryBudget, found.retryBudget)
  t.equal(direct?.resilience, found.resilience, 'and what is counted')
})

t.test('catalog: a retry budget goes on until its rules change', async (t) => {
  const world = new World()
  world.update(STATE)
  const found = world.named('shop.default')
  const usual = found.retryBudget
  usual?.spend(5)
  world.update({ ...STATE, trafficPolicies: [policy({ maxRetries: 3 })] })
  t.equal(found.retryBudget, usual, 'no news')
  t.equal(found.retryBudget?.left(5), 99)
  const rules = { percent: 50, minPerSecond: 2, window: 5000 }
  world.update({ ...STATE, trafficPolicies: [policy({ retryBudget: rules })] })
  const other = found.retryBudget
  t.not(other, usual)
  t.equal(other?.left(5), 10)
  t.equal(world.catalog.table.find('10.1.0.1', 8080)?.retryBudget, other)
  world.update({ ...STATE, trafficPolicies: [policy({ retryBudget: { ...rules } })] })
  t.equal(found.retryBudget, other)
  world.update(STATE)
  t.equal(found.retryBudget?.left(5), 100)
})
