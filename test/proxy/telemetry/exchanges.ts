// Exchanges as the data path makes them, out of the bytes of a request, with nobody on either side.

import { Event } from '../../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../../src/proxy/http/h1/request-reader.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { ConnectionCounters, type Direction } from '../../../src/proxy/stack/counters.ts'
import { Destination, SinglePicker } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { type Downstream, Exchange } from '../../../src/proxy/stack/exchange.ts'

const nobody: Downstream = {
  hasBegun: false,
  isAnswered: false,
  ready: () => undefined,
  interim: () => undefined,
  head: () => undefined,
  body: () => undefined,
  trailers: () => undefined,
  end: () => undefined,
  flush: () => true,
  discard: () => undefined,
  fail: () => undefined,
  resume: () => undefined,
  over: () => undefined,
  tunnel: () => undefined,
}

export interface Asked {
  readonly direction?: Direction
  /** The request line without its version. */
  readonly line?: string
  readonly authority?: string
  /** Lines of the head, besides Host. */
  readonly fields?: readonly string[]
  readonly at?: number
}

/** One that has begun, by the clock's time `at`. */
export function exchangeOf(asked: Asked = {}): Exchange {
  const { direction = 'outbound', line = 'GET /', authority = 'shop.default', fields = [] } = asked
  const head = [`${line} HTTP/1.1`, `Host: ${authority}`, ...fields, '', ''].join('\r\n')
  const reader = new RequestReader(DEFAULT_LIMITS)
  const bytes = Buffer.from(`\0\0\0${head}`, 'latin1')
  if (reader.read(bytes, 3, bytes.length) !== Event.head) throw new Error(`refused: ${head}`)
  const service = direction === 'outbound' ? 'shop.default:80' : 'local'
  const address = { ip: '198.18.0.7', port: 8080 }
  const endpoint = new Endpoint(address, 1, new ConnectionCounters(direction, service, ''))
  const picker = new SinglePicker(endpoint)
  const rules = { connectTimeout: 1000, idleTimeout: 0 }
  const destination = new Destination(direction, service, picker, rules)
  const exchange = new Exchange(destination, nobody, reader.head, '198.18.0.1', 1)
  exchange.begin(asked.at ?? 0)
  return exchange
}

/** As it stands when a response has been carried. */
export function answered(exchange: Exchange, status: number): Exchange {
  exchange.endpoint = exchange.destination.picker.endpoints[0]
  exchange.attempt = 1
  exchange.status = status
  return exchange
}
