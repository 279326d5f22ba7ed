// The program that open-load.ts starts in a pod: an open-loop load, OPTIONS (OpenLoadOptions as JSON).
//
// Requests leave at a fixed rate, whatever became of those before, as those of many people do; and each is timed from
// the moment it should have left, so that a client which is late itself hides nothing. It prints a line a second, ends
// sending when a line comes on standard input (after a minute and a half by itself), waits for what is under way and
// prints what it saw.

import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'

export interface OpenLoadOptions {
  readonly url: string
  /** Requests a second. */
  readonly rate: number
  /** Every so many requests one is a POST with a key of its own; 0 for none. */
  readonly postEvery?: number
  /** Milliseconds that a request has; told to the applications in a field of the test's own. 0 for no end. */
  readonly deadline?: number
  /** The same is told to the mesh in the usual field. */
  readonly tells?: boolean
  /** Each request begins a trace. */
  readonly traces?: boolean
  /** After so many milliseconds the client goes away. */
  readonly patience?: number
}

export interface OpenFailure {
  readonly method: string
  readonly key: string
  /** Milliseconds since 1970 when it should have left. */
  readonly at: number
  readonly ms: number
  /** 0 if there was no answer. */
  readonly status: number
  readonly error: string
  /** Proxy-Status. */
  readonly proxy: string
}

/** When it should have left (milliseconds since the load began), how long it took, and how it was answered. */
export type Sample = readonly [at: number, ms: number, status: number]

export interface OpenLoaded {
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly samples: readonly Sample[]
  /** Up to a thousand. */
  readonly failures: readonly OpenFailure[]
  /** Keys of the POSTs that were answered with 200. */
  readonly posted: readonly string[]
  readonly served: Readonly<Record<string, number>>
  /** The most that a request left late, in milliseconds. */
  readonly lag: number
}

const LONGEST = 90_000
const MOST_FAILURES = 1000
/** Between two looks at what is due, in milliseconds. */
const TICK = 4

const options = JSON.parse(process.argv[2] ?? '{}') as OpenLoadOptions
const { url, rate, postEvery = 0, deadline = 0, patience = 30_000 } = options
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
const startedAt = Date.now()
const start = performance.now()
const samples: Sample[] = []
const failures: OpenFailure[] = []
const posted: string[] = []
const served: Record<string, number> = {}
let sent = 0
let underWay = 0
let lag = 0
let second = 0
let isOver = false

function headersOf(key: string, due: number): Record<string, string> {
  const headers: Record<string, string> = {}
  if (key !== '') {
    headers['x-key'] = key
    headers['content-length'] = '5'
  }
  if (deadline > 0) headers['x-test-deadline'] = `${Math.ceil(startedAt + due + deadline)}`
  if (options.tells === true) headers['x-envoy-expected-rq-timeout-ms'] = `${deadline}`
  if (options.traces === true) {
    const random = randomBytes(24).toString('hex')
    headers['traceparent'] = `00-${random.slice(0, 32)}-${random.slice(32)}-01`
  }
  return headers
}

function send(due: number): void {
  const isPost = postEvery > 0 && sent % postEvery === postEvery - 1
  const key = isPost ? `${process.pid}-${sent}` : ''
  const method = isPost ? 'POST' : 'GET'
  sent += 1
  underWay += 1
  let isSettled = false
  const settle = (status: number, error: string, by: string, proxy: string): void => {
    if (isSettled) return
    isSettled = true
    underWay -= 1
    clearTimeout(timer)
    const ms = performance.now() - start - due
    samples.push([Math.round(due), Math.round(ms * 10) / 10, status])
    if (status === 200) {
      served[by] = (served[by] ?? 0) + 1
      if (isPost) posted.push(key)
    } else if (failures.length < MOST_FAILURES) {
      failures.push({ method, key, at: Math.round(startedAt + due), ms, status, error, proxy })
    }
  }
  const asked = request(url, { agent, method, headers: headersOf(key, due) }, (response) => {
    const { statusCode = 0, headers } = response
    const proxy = String(headers['proxy-status'] ?? '')
    response.on('error', (error) => {
      settle(0, error.message, '', proxy)
    })
    response.on('end', () => {
      settle(statusCode, '', String(headers['x-served-by']), proxy)
    })
    response.resume()
  })
  const timer = setTimeout(() => asked.destroy(new Error('no more patience')), patience)
  asked.on('error', (error) => {
    settle(0, error.message, '', '')
  })
  asked.end(isPost ? 'hello' : '')
}

function tick(): void {
  const now = performance.now() - start
  if (now > LONGEST) isOver = true
  if (isOver) {
    if (underWay === 0) finish()
    else setTimeout(tick, TICK)
    return
  }
  for (let due = (sent * 1000) / rate; due <= now; due = (sent * 1000) / rate) {
    lag = Math.max(lag, now - due)
    send(due)
  }
  while ((second + 1) * 1000 <= now) {
    second += 1
    process.stdout.write(`{"second":${second}}\n`)
  }
  setTimeout(tick, TICK)
}

function finish(): void {
  const loaded: OpenLoaded = { startedAt, samples, failures, posted, served, lag: Math.round(lag) }
  process.stdout.write(`${JSON.stringify(loaded)}\n`, () => process.exit(0))
}

const end = (): void => {
  isOver = true
}
process.stdin.once('data', end).once('end', end)
process.stdout.write('"started"\n')
tick()
