// `Keep-Alive: timeout=5`: a hint that no standard defines and most servers give.

import { Field } from '../http/fields.ts'
import type { Head } from '../http/head.ts'

/** How long the server waits for another request, in milliseconds; NaN if it does not say. */
export function timeoutOf(head: Head): number {
  const seconds = /(?:^|[\s,])timeout=(\d{1,6})(?:$|[\s,])/i.exec(head.value(Field.keepAlive) ?? '')
  return seconds === null ? NaN : Number(seconds[1]) * 1000
}
