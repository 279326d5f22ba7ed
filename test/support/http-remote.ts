// An HTTP client over one connection of an agent in a pod, byte by byte what a test writes.

import type { Agent, RemoteSocket } from './agent.ts'
import { messages } from './http-text.ts'
import { until } from './until.ts'

export class RemoteClient {
  readonly socket: RemoteSocket
  readonly #host: string

  private constructor(socket: RemoteSocket, host: string) {
    this.socket = socket
    this.#host = host
  }

  static async open(agent: Agent, host: string, port: number): Promise<RemoteClient> {
    const name = host.includes(':') ? `[${host}]` : host
    return new RemoteClient(await agent.connect(host, port), `${name}:${port}`)
  }

  /** Asks and resolves with the whole response; `fields` are lines with their CRLF. */
  async get(path: string, fields = ''): Promise<string> {
    return await this.ask(`GET ${path} HTTP/1.1\r\nHost: ${this.#host}\r\n${fields}\r\n`)
  }

  /** Who served it: the body of a response, `times` times on this connection. */
  async tally(times: number, path = '/'): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (let i = 0; i < times; i += 1) {
      const body = bodyOf(await this.get(path))
      counts[body] = (counts[body] ?? 0) + 1
    }
    return counts
  }

  /** Writes a text; resolves with the next whole response. */
  async ask(text: string): Promise<string> {
    const before = messages(this.socket.text).length
    this.socket.write(text)
    return (await this.responses(before + 1))[before] ?? ''
  }

  /** Resolves once so many responses have come since the beginning. */
  async responses(count: number): Promise<string[]> {
    return await until(`response ${count}`, () => {
      const all = messages(this.socket.text)
      if (all.length >= count) return all
      if (!this.socket.closed && !this.socket.ended) return undefined
      throw new Error(`over (${this.socket.error}) after ${JSON.stringify(this.socket.text)}`)
    })
  }
}

export function statusOf(response: string): number {
  return Number(response.split(' ')[1])
}

export function bodyOf(response: string): string {
  return response.slice(response.indexOf('\r\n\r\n') + 4)
}

/** The value of a header field, empty if there is none. */
export function fieldOf(response: string, name: string): string {
  const head = response.slice(0, response.indexOf('\r\n\r\n') + 2)
  return new RegExp(`^${name}: *(.*)\\r$`, 'im').exec(head)?.[1] ?? ''
}
