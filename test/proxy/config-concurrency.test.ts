// The settings of how much the application works on at once: every problem, and what goes through.

import t from 'tap'
import { Problems } from '../../src/lib/problems.ts'
import { readSettings } from '../../src/proxy/config.ts'
import type { Environment } from '../../src/proxy/config-sources.ts'
import type { ConcurrencySettings } from '../../src/proxy/settings.ts'

const SOME = 'outbound: { transparent: 127.0.0.1:15001 }\n'

interface Read {
  readonly concurrency: ConcurrencySettings
  readonly problems: readonly { readonly path: string; readonly message: string }[]
}

function read(keys: string, env: Environment = {}): Read {
  const problems = new Problems()
  const text = keys === '' ? SOME : `${SOME}inbound: { concurrency: { ${keys} } }`
  const settings = readSettings({ name: 'proxy.yaml', text }, env, problems)
  return { concurrency: settings.inbound.concurrency, problems: problems.list }
}

const AT = 'proxy.yaml inbound.concurrency'

for (const [keys, path, message] of [
  ['limit: 0', `${AT}.limit`, 'from 1 to 1000000'],
  ['limit: 1.5', `${AT}.limit`, 'from 1 to 1000000'],
  ['limit: many', `${AT}.limit`, 'from 1 to 1000000, or off'],
  ['pending: -1', `${AT}.pending`, 'from 0 to'],
  ['adaptive: on', `${AT}.adaptive`, 'must be one of off, gradient'],
  ['min: 0', `${AT}.min`, 'from 1 to'],
  ['limit: 3, adaptive: gradient', 'inbound.concurrency.min', 'above the limit, 3'],
  ['min: 1001, adaptive: gradient', `${AT}.min`, 'above the limit, 1000'],
  ['max: 3', `${AT}.max`, 'known here: limit, pending, adaptive, min'],
] as const) {
  t.test(`config: concurrency, ${keys} is refused`, async (t) => {
    t.match(read(keys).problems, [{ path, message }])
    t.equal(read(keys).problems.length, 1)
  })
}

t.test('config: concurrency, all problems at once', async (t) => {
  t.equal(read('limit: 0, pending: a, adaptive: b, min: c').problems.length, 4)
})

t.test('config: concurrency, what goes through', async (t) => {
  const off = { limit: undefined, pending: 1024, adaptive: 'off', min: 4 }
  for (const [keys, expected] of [
    ['', off],
    ['limit: off', off],
    ['limit: 3', { ...off, limit: 3 }],
    ['pending: 0', { ...off, pending: 0 }],
    ['limit: 1, min: 1, adaptive: gradient', { ...off, limit: 1, min: 1, adaptive: 'gradient' }],
    ['min: 1000, adaptive: gradient', { ...off, min: 1000, adaptive: 'gradient' }],
  ] as const) {
    const { concurrency, problems } = read(keys)
    t.same(problems, [])
    t.same(concurrency, expected)
  }
})

t.test('config: concurrency, a variable may be off too', async (t) => {
  const name = 'UNDERPASS_INBOUND_CONCURRENCY_LIMIT'
  t.same(read('limit: 5', { [name]: 'off' }).concurrency.limit, undefined)
  t.same(read('', { [name]: '7' }).concurrency.limit, 7)
  t.match(read('', { [name]: 'none' }).problems, [{ path: name, message: 'or off' }])
})
