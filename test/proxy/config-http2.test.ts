// The settings of HTTP/2 limits, and what is wrong with them.

import t from 'tap'
import { DEFAULT_H2_LIMITS } from '../../src/proxy/http/h2/h2-limits.ts'
import { SETTINGS_KEYS } from '../../src/proxy/settings-keys.ts'
import { check, read, SOME } from './config-reading.ts'

const given = (keys: string): string => `${SOME}http2: { ${keys} }`

t.test('config: HTTP/2 limits that are refused', async (t) => {
  const at = '.http2'
  check(t, [
    [given('maxConcurrentStreams: 0'), {}, [`${at}.maxConcurrentStreams`, 'from 1 to 100000']],
    [given('streamWindow: 16383'), {}, [`${at}.streamWindow`, 'from 16384 to 2147483647']],
    [given('streamWindow: 2147483648'), {}, [`${at}.streamWindow`, 'from 16384 to']],
    [given('connectionWindow: 65534'), {}, [`${at}.connectionWindow`, 'from 65535 to']],
    [given('streamWindow: 2000000'), {}, ['http2.connectionWindow', 'below streamWindow, 2000000']],
    [given('headerTableSize: 65537'), {}, [`${at}.headerTableSize`, 'from 0 to 65536']],
    [given('headerTableSize: -1'), {}, [`${at}.headerTableSize`, 'from 0 to 65536']],
    [given('maxHeaderListSize: 100'), {}, [`${at}.maxHeaderListSize`, 'from 1024 to 1048576']],
    [given('maxHeaderFields: 1.5'), {}, [`${at}.maxHeaderFields`, 'from 1 to 10000']],
    [given('maxContinuations: -1'), {}, [`${at}.maxContinuations`, 'from 0 to 1024']],
    [given('maxControlFrames: 9'), {}, [`${at}.maxControlFrames`, 'from 10 to 1000000']],
    [given('maxSettings: 5'), {}, [`${at}.maxSettings`, 'from 6 to 1024']],
    [given('maxResetShare: 1.01'), {}, [`${at}.maxResetShare`, 'from 0 to 1']],
    [given('maxResetShare: half'), {}, [`${at}.maxResetShare`, 'from 0 to 1']],
    [given('minResets: 0'), {}, [`${at}.minResets`, 'from 1 to 1000000']],
    [given('maxFaults: 0'), {}, [`${at}.maxFaults`, 'from 1 to 1000000']],
    [given('maxControlQueue: 64KiB'), {}, [`${at}.maxControlQueue`, 'from 1024 to 16777216']],
    [given('stallTimeout: 1ms'), {}, [`${at}.stallTimeout`, 'at least 1s']],
    [given('stallTimeout: 300'), {}, [`${at}.stallTimeout`, 'must be a duration']],
    [given('pingInterval: 999ms'), {}, [`${at}.pingInterval`, 'or 0s for none']],
    [given('pingTimeout: 0s'), {}, [`${at}.pingTimeout`, 'at least 1s']],
    [given('settingsTimeout: 10ms'), {}, [`${at}.settingsTimeout`, 'at least 1s']],
    [given('maxStreams: 3'), {}, [`${at}.maxStreams`, 'known here: maxConcurrentStreams']],
    [`${SOME}http2: 3`, {}, [at, 'must be a mapping']],
    [
      SOME,
      { UNDERPASS_HTTP2_MAX_RESET_SHARE: 'most' },
      ['UNDERPASS_HTTP2_MAX_RESET_SHARE', 'from 0 to 1'],
    ],
    [
      given('minResets: 0, pingTimeout: soon, maxPings: 1'),
      {},
      [`${at}.maxPings`, 'is not a known key'],
      [`${at}.minResets`, 'from 1'],
      [`${at}.pingTimeout`, 'must be a duration'],
    ],
  ])
})

t.test('config: HTTP/2 limits at the ends of their ranges', async (t) => {
  check(t, [
    [given('streamWindow: 16384, connectionWindow: 65535'), {}],
    [given('streamWindow: 2147483647, connectionWindow: 2147483647'), {}],
    [given('headerTableSize: 0, maxContinuations: 0'), {}],
    [given('maxResetShare: 0'), {}],
    [given('maxResetShare: 1'), {}],
    [given('pingInterval: 0s, stallTimeout: 0s'), {}],
  ])
})

t.test('config: the default HTTP/2 limits are those of the codec', async (t) => {
  t.same(read(SOME).settings.http2, DEFAULT_H2_LIMITS)
})

t.test('config: every HTTP/2 limit can be set, in the file and by its variable', async (t) => {
  const keys = Object.keys(DEFAULT_H2_LIMITS) as (keyof typeof DEFAULT_H2_LIMITS)[]
  t.same(
    SETTINGS_KEYS.map(({ key }) => key).filter((key) => key.startsWith('http2.')),
    keys.map((key) => `http2.${key}`),
  )
  for (const key of keys) {
    const [shown, value] = another(key)
    const file = read(given(`${key}: ${shown}`))
    t.same(file.problems, [])
    t.same(file.settings.http2, { ...DEFAULT_H2_LIMITS, [key]: value }, key)
    const name = `UNDERPASS_HTTP2_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
    const variable = read(SOME, { [name]: shown })
    t.same(variable.problems, [])
    t.same(variable.settings.http2, { ...DEFAULT_H2_LIMITS, [key]: value }, name)
  }
})

/** A value that is good and not the default, as it is written and as it is read. */
function another(key: keyof typeof DEFAULT_H2_LIMITS): [shown: string, value: number] {
  if (/(?:Timeout|Interval)$/.test(key)) return ['7s', 7000]
  if (key === 'maxResetShare') return ['0.25', 0.25]
  const value = DEFAULT_H2_LIMITS[key] + 1
  return [String(value), value]
}
