// The program that load.ts starts in a pod: a few kept-alive connections that ask one request after the other, URL
// CONNECTIONS, until a line comes on standard input; then it prints what it saw.
//
// Every second request is a POST with a body, each POST with an id of its own. It ends by itself after a minute.

import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const [url = '', connections = ''] = process.argv.slice(2)
/** Between the requests of a connection, in milliseconds. */
const PAUSE = 4
const LONGEST = 60_000

export interface Failure {
  readonly method: string
  readonly id: string
  /** 0 if there was no answer. */
  readonly status: number
  readonly error: string
  /** Proxy-Status. */
  readonly proxy: string
}

export interface Loaded {
  /** Requests that were answered with 200, by who served them. */
  readonly served: Readonly<Record<string, number>>
  /** Ids of the POSTs that were. */
  readonly posted: readonly string[]
  readonly failures: readonly Failure[]
}

const served: Record<string, number> = {}
const posted: string[] = []
const failures: Failure[] = []
let isOver = false

async function ask(agent: Agent, method: string, id: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const fail = (error: string, status = 0, proxy = ''): void => {
      failures.push({ method, id, status, error, proxy })
      resolve()
    }
    const headers = method === 'POST' ? { 'x-id': id, 'content-length': '5' } : {}
    const sent = request(url, { agent, method, headers, timeout: 10_000 }, (response) => {
      const { statusCode = 0 } = response
      const proxy = String(response.headers['proxy-status'] ?? '')
      response.on('error', (error) => {
        fail(error.message)
      })
      response.on('end', () => {
        const by = String(response.headers['x-served-by'])
        if (statusCode !== 200) {
          fail('', statusCode, proxy)
          return
        }
        served[by] = (served[by] ?? 0) + 1
        if (method === 'POST') posted.push(id)
        resolve()
      })
      response.resume()
    })
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')))
    sent.on('error', (error) => {
      fail(error.message)
    })
    sent.end(method === 'POST' ? 'hello' : '')
  })
}

async function load(connection: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let round = 0; !isOver; round += 1) {
    await ask(agent, round % 2 === 0 ? 'GET' : 'POST', `${process.pid}-${connection}-${round}`)
    await sleep(PAUSE)
  }
  agent.destroy()
}

const end = (): void => {
  isOver = true
}
process.stdin.once('data', end).once('end', end)
setTimeout(end, LONGEST).unref()
process.stdout.write('"started"\n')
await Promise.all(Array.from({ length: Number(connections) }, (_, at) => load(at)))
process.stdout.write(`${JSON.stringify({ served, posted, failures } satisfies Loaded)}\n`)
process.exit(0)
