// The settings of admission, and what is wrong with them.

import t from 'tap'
import { check, SOME } from './config-reading.ts'

t.test('config: concurrency', async (t) => {
  const given = (keys: string): string => `${SOME}inbound: { concurrency: { ${keys} } }`
  const at = '.inbound.concurrency'
  check(t, [
    [given('limit: 0'), {}, [`${at}.limit`, 'from 1 to 1000000']],
    [given('limit: 1.5'), {}, [`${at}.limit`, 'from 1 to 1000000']],
    [given('limit: many'), {}, [`${at}.limit`, 'from 1 to 1000000, or off']],
    [given('pending: -1'), {}, [`${at}.pending`, 'from 0 to']],
    [given('adaptive: on'), {}, [`${at}.adaptive`, 'must be one of off, gradient']],
    [given('min: 0'), {}, [`${at}.min`, 'from 1 to']],
    [given('limit: 3, adaptive: gradient'), {}, ['inbound.concurrency.min', 'above the limit, 3']],
    [given('min: 1001, adaptive: gradient'), {}, [`${at}.min`, 'above the limit, 1000']],
    [given('max: 3'), {}, [`${at}.max`, 'known here: limit, pending, adaptive, min']],
    [given('limit: 3'), {}],
    [given('limit: off, pending: 0'), {}],
    [given('limit: 1, min: 1, adaptive: gradient'), {}],
    [SOME, { UNDERPASS_INBOUND_CONCURRENCY_LIMIT: 'off' }],
    [
      SOME,
      { UNDERPASS_INBOUND_CONCURRENCY_LIMIT: 'none' },
      ['UNDERPASS_INBOUND_CONCURRENCY_LIMIT', 'or off'],
    ],
  ])
})
