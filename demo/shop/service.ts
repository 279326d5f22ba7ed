// What the programs of the shop share: a JSON server that counts what reaches it, and a JSON client that makes a new
// connection a request.
//
// Plain node:http, as an application that was never told about a mesh would have it.

import { createServer, get, type IncomingMessage, type Server } from 'node:http'

export const NAME: string = process.env['NAME'] ?? 'unnamed'
const TIMEOUT = 5000

/** What every answer says of its connection: who answers, and whom it takes for its client. */
export interface Seen {
  readonly from: string
  readonly peer: string
}

export function seen(request: IncomingMessage): Seen {
  return { from: NAME, peer: request.socket.remoteAddress ?? '' }
}

/** What has reached the server: requests, and bytes that were none. Asking at `/count` does not count. */
export interface Reached {
  readonly requests: number
  readonly malformed: number
}

/** Thrown by an `answer` for a status other than 200. */
export class Status extends Error {
  readonly status: number

  constructor(status: number) {
    super(`status ${status}`)
    this.status = status
  }
}

/**
 * Answers each request with what `answer` makes of it; 502 if it throws anything but a Status. Asked for `/sick`, which
 * does not count, it answers everything with 503 until it is asked for `/well`.
 */
export function serveJson(
  port: number,
  answer: (request: IncomingMessage) => unknown,
  ready: () => void = sayListening,
): Server {
  const reached = { requests: 0, malformed: 0 }
  let isSick = false
  const server = createServer((request, response) => {
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(`${JSON.stringify(body)}\n`)
    }
    if (request.url === '/count') {
      send(200, reached)
      return
    }
    if (request.url === '/sick' || request.url === '/well') {
      isSick = request.url === '/sick'
      send(200, { isSick })
      return
    }
    reached.requests++
    void Promise.resolve()
      .then(() => {
        if (isSick) throw new Status(503)
        return answer(request)
      })
      .then(
        (body) => {
          send(200, body)
        },
        (error: unknown) => {
          const status = error instanceof Status ? error.status : 502
          send(status, { ...seen(request), error: String(error) })
        },
      )
  })
  server.on('clientError', (_, socket) => {
    reached.malformed++
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
  })
  server.keepAliveTimeout = 60_000
  return server.listen(port, '::', ready)
}

function sayListening(): void {
  process.stdout.write('listening\n')
}

/** The JSON at `url`; anything but 200 is an error. */
export async function getJson(url: string): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: TIMEOUT }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text))
        else reject(new Error(`${url} answered ${response.statusCode ?? 0}: ${text.trim()}`))
      })
    })
    request.on('timeout', () => request.destroy(new Error(`${url} did not answer`)))
    request.on('error', reject)
  })
}
