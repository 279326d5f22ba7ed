// What the tests of retries and of second tries over real connections share.

import type { Test } from 'tap'
import { DEFAULT_RULES, type RouteRules } from '../../../src/api/resources.ts'
import { makeRoute } from '../../../src/proxy/route/make-route.ts'
import { type Kind, L7, type Place } from './fixture.ts'

export const UNAVAILABLE = 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy'

interface Wish {
  readonly kind: Kind
  readonly retries?: Partial<RouteRules['retries']>
  readonly timeouts?: Partial<RouteRules['timeouts']>
}

export async function startRetrying(
  t: Test,
  places: readonly Place[],
  { kind, retries, timeouts }: Wish,
): Promise<L7> {
  const f = await L7.start(t, places, { kind })
  f.destination.route = makeRoute('default', {
    ...DEFAULT_RULES,
    retries: {
      ...DEFAULT_RULES.retries,
      on: ['connect-failure', 'reset', 'gateway-error', 'per-try-timeout'],
      methods: ['GET', 'PUT', 'POST'],
      ...retries,
    },
    timeouts: { ...DEFAULT_RULES.timeouts, ...timeouts },
  })
  return f
}

/** What arrived, but for the line that counts the tries. */
export const asSent = (text: string): string => text.replace(/x-envoy-attempt-count: \d+\r\n/gi, '')

export const counts = (f: L7): Record<string, number> =>
  Object.fromEntries(f.destination.resilience.retries)

export const put = (body: string, fields = ''): string =>
  `PUT /a HTTP/1.1\r\nHost: a.example\r\nx-Kept: Y\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`

export function letters(count: number): string {
  return Array.from({ length: count }, (_, at) => String.fromCharCode(97 + (at % 23))).join('')
}
