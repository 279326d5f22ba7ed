// The limits of HTTP/2 in the README are those of the code: each key with its default, each name that metrics have.

import t from 'tap'
import { formatDuration } from '../../src/lib/duration.ts'
import { DEFAULT_H2_LIMITS, type H2LimitName } from '../../src/proxy/http/h2/h2-limits.ts'
import { SETTINGS_KEYS } from '../../src/proxy/settings-keys.ts'
import { readme, tableBelow } from './table.ts'

/** All of them: a name that is missing here, or too many, does not compile. */
const NAMES: Readonly<Record<H2LimitName, true>> = {
  'reset-share': true,
  faults: true,
  continuations: true,
  'header-list': true,
  'control-frames': true,
  settings: true,
  'control-queue': true,
  'stalled-stream': true,
  'ping-timeout': true,
  'settings-timeout': true,
}

const rows = tableBelow(readme(), 'HTTP/2 limits').slice(1)

t.test('readme: every HTTP/2 limit is in its table with its default, and no other', async (t) => {
  const shown = rows.map(([, key, fallback]) => `${key} ${fallback}`)
  const known = Object.entries(DEFAULT_H2_LIMITS).map(([key, value]: [string, number]) => {
    const isDuration = /(?:Timeout|Interval)$/.test(key)
    return `http2.${key} ${isDuration ? formatDuration(value) : value}`
  })
  t.same(shown.sort(), known.sort())
})

t.test('readme: every HTTP/2 limit is a setting with that default', async (t) => {
  for (const [, key, fallback] of rows) {
    const setting = SETTINGS_KEYS.find((each) => each.key === key)
    t.equal(String(setting?.fallback), fallback, String(key))
  }
})

t.test('readme: every name that a metric has for a limit is in the table', async (t) => {
  const shown = rows.map(([, , , , name]) => name).filter((name) => name !== '')
  t.same(shown.sort(), Object.keys(NAMES).sort())
})
