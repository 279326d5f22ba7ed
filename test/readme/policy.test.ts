// The TrafficPolicy in the README is one that is accepted, and the defaults in its table are those that hold.

import t from 'tap'
import { DEFAULT_OUTLIER } from '../../src/api/resources.ts'
import { policy, read } from '../api/manifests.ts'
import { readme, tableBelow } from './table.ts'

t.test('readme: the TrafficPolicy is accepted as it stands', async (t) => {
  const example = /```yaml\n(apiVersion: underpass\.dev.*?)```/s.exec(readme())?.[1] ?? ''
  const { resources, problems } = read(example)
  t.same(problems, [])
  t.match(resources.trafficPolicies, [{ routes: [{ name: 'checkout' }] }])
})

/** A default as the table has it, as a YAML value. */
const yaml = (value: string): string => (value.includes(': ') ? `{ ${value} }` : value)

/** Of the rows with a default, by the first word of their key: the rest of it, and the value. */
function defaults(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const [keys = '', value = ''] of tableBelow(readme(), 'Manifests').slice(1)) {
    if (['none', 'off'].includes(value)) continue
    const [first = '', ...others] = keys.split(', ')
    const [parent = '', ...rest] = first.split('.')
    const names = [rest.join('.'), ...others.map((each) => each.replace('.', ''))]
    const values = names.length === 1 ? [value] : value.split(', ')
    const said = names.map((name, at) => `${name}: ${yaml(values[at] ?? '')}`)
    found.set(parent, [...(found.get(parent) ?? []), ...said])
  }
  return found
}

t.test('readme: what holds where nothing is said', async (t) => {
  const all = defaults()
  t.same([...all.keys()], ['timeouts', 'retries', 'circuitBreaker', 'outlier'])
  const outlier = `outlier: { ${all.get('outlier')?.join(', ') ?? ''} }`
  all.set('circuitBreaker', [outlier])
  all.delete('outlier')
  const spec = [...all].map(([key, said]) => `${key}: { ${said.join(', ')} }`).join(', ')
  const [said, unsaid] = [read(policy(spec)), read(policy('circuitBreaker: { outlier: {} }'))]
  t.same(said.problems, [], spec)
  t.strictSame(said.resources.trafficPolicies, unsaid.resources.trafficPolicies)
  for (const key of Object.keys(DEFAULT_OUTLIER)) t.match(outlier, `${key}: `)
})
