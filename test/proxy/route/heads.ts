// Heads of requests as a reader leaves them: not at the beginning of their buffer, and with bytes behind them.

import { Event } from '../../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../../src/proxy/http/h1/request-reader.ts'
import type { Head } from '../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'

/** Of a request line without its version; `host` is what the Host field says. */
export function headOf(line: string, fields: readonly string[] = [], host = 'shop'): Head {
  const text = [`${line} HTTP/1.1`, `Host: ${host}`, ...fields, '', ''].join('\r\n')
  const bytes = Buffer.from(`GET /before/it${text}/after/it`, 'latin1')
  const start = 'GET /before/it'.length
  const reader = new RequestReader(DEFAULT_LIMITS)
  if (reader.read(bytes, start, bytes.length) !== Event.head) throw new Error(`refused: ${text}`)
  return reader.head
}
