// What the programs of the shop share: a JSON server and a JSON client that make a new connection a request.
//
// Plain node:http, as an application that was never told about a mesh would have it.

import { createServer, get, type IncomingMessage } from 'node:http'

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

/** Answers each request with what `answer` makes of it; 502 if it throws. */
export function serveJson(
  port: number,
  answer: (request: IncomingMessage) => unknown,
  ready: () => void = sayListening,
): void {
  const server = createServer((request, response) => {
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(`${JSON.stringify(body)}\n`)
    }
    void Promise.resolve()
      .then(() => answer(request))
      .then(
        (body) => {
          send(200, body)
        },
        (error: unknown) => {
          send(502, { ...seen(request), error: String(error) })
        },
      )
  })
  server.keepAliveTimeout = 60_000
  server.listen(port, '::', ready)
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
