// The admin port: is it alive, is it ready, what does it know, what did it count; drain and quit.
//
// Loopback only, and only for those who mean it: a Host header that is not loopback is refused, and so is a request
// with an Origin, so that no web page can reach it, be it by a name that resolves to loopback. Node's own server is right here: a request a second, and its
// limits are known. The metrics port serves the harmless half of it to the outside.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SocketAddress } from '../../lib/address.ts'
import type { Millis } from '../../lib/duration.ts'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  /** The methods that a path has, for 405 (RFC 9110 section 15.5.6). */
  readonly allow?: string
}

/** By `METHOD /path`; the query is handed over. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Answer | Promise<Answer>>>

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/

/** Whoever is slower than this with a request, or with taking its answer, is let go. */
const PATIENCE: Millis = 5000

export function text(body: string, status = 200): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}

export function json(value: unknown, status = 200): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value, undefined, 2)}\n` }
}

export class AdminServer {
  readonly #server: Server
  readonly #routes: Routes
  readonly #anyHost: boolean

  /** `anyHost` for a port that is meant for others: Kubernetes' probes and Prometheus come by address or name. */
  constructor(routes: Routes, anyHost = false, patience: Millis = PATIENCE) {
    this.#routes = routes
    this.#anyHost = anyHost
    this.#server = createServer(
      {
        maxHeaderSize: 8192,
        requestTimeout: patience,
        headersTimeout: patience,
        keepAliveTimeout: patience,
        // Node looks for slow ones every 30 s unless told, which is longer than a probe's patience.
        connectionsCheckingInterval: patience / 5,
      },
      (request, response) => {
        void this.#answer(request, response)
      },
    )
    this.#server.maxConnections = 64
    this.#server.setTimeout(2 * patience)
  }

  /** Rejects with an errno error if the address cannot be bound. */
  async listen({ ip, port }: SocketAddress): Promise<SocketAddress> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host: ip, port }, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    this.#server.on('error', () => undefined)
    return { ip, port: (this.#server.address() as AddressInfo).port }
  }

  close(): void {
    this.#server.close()
    this.#server.closeIdleConnections()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    const { status, type, body, allow } = await this.#find(request)
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(allow === undefined ? {} : { allow }),
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  async #find(request: IncomingMessage): Promise<Answer> {
    if (!this.#anyHost && !LOOPBACK_HOST.test(request.headers.host ?? '')) {
      return text('this port answers to loopback addresses only', 421)
    }
    if (request.headers.origin !== undefined) return text('this port is not for web pages', 403)
    const [path = '', query = ''] = (request.url ?? '').split('?')
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '')
    const route = this.#routes[`${method} ${path}`]
    if (route !== undefined) {
      try {
        return await route(new URLSearchParams(query))
      } catch (error) {
        return text(error instanceof Error ? error.message : String(error), 500)
      }
    }
    return this.#noRoute(path)
  }

  #noRoute(path: string): Answer {
    const known = Object.keys(this.#routes)
    const fitting = known.filter((name) => name.endsWith(` ${path}`))
    if (fitting.length === 0) return text(`not found; there is:\n${known.join('\n')}`, 404)
    const methods = fitting.map((name) => name.slice(0, name.indexOf(' ')))
    const allow = methods.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])).join(', ')
    return { ...text(`use ${fitting.join(' or ')}`, 405), allow }
  }
}
