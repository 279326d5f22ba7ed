// The program that service-app.ts starts in a pod: an application with a capacity, OPTIONS (ServiceOptions as JSON).
//
// Requests wait in a queue, first come first served, for one of `concurrency` places, where each is worked at for
// `serviceMs`; then the next application is asked, if there is one, and the answer says who was asked and what time
// each was told to have. Lines on standard input are orders (Order as JSON); `stats` prints what was counted.
//
// A request has begun when it gets its place. What lies in the sockets is read before anything is begun, so an
// application that leaves off what nobody waits for (`aborts`) sees it in time, even after it was stopped for long.

import { appendFileSync } from 'node:fs'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'

export interface ServiceOptions {
  readonly name: string
  readonly port: number
  /** Takes the keys of what was executed, one a line, before it is answered. */
  readonly file: string
  readonly serviceMs: number
  readonly concurrency: number
  /** Bytes that an answer is made longer by. */
  readonly padding?: number
  /** A URL that is asked for every request. */
  readonly next?: string
  /** What the application hands on of a request: its trace, the time it has, or nothing. */
  readonly passes?: 'trace' | 'deadline' | 'nothing'
  /** Gives up what nobody waits for any more, the question to the next application too. */
  readonly aborts?: boolean
}

/** What becomes of requests from now on. Those that have come already fail too; they are as slow as they were. */
export type Order =
  | { readonly mode: 'ok' }
  | { readonly mode: 'fail'; readonly status: number }
  | { readonly mode: 'slow'; readonly times: number }
  | { readonly mode: 'stall' }
  | { readonly mode: 'stats' | 'stop' }

export interface ServiceSecond {
  /** Seconds since 1970. */
  readonly at: number
  /** Requests that were read, had their place, were answered with 200, with another status. */
  arrived: number
  begun: number
  finished: number
  failed: number
}

export interface ServiceStats {
  readonly seconds: readonly ServiceSecond[]
  readonly arrived: number
  readonly begun: number
  readonly finished: number
  /** Left the queue because nobody waited for them any more. */
  readonly dropped: number
  /** Of what was read after its time, and of what was begun after it: by how many milliseconds. */
  readonly readLate: readonly number[]
  readonly begunLate: readonly number[]
  readonly longestQueue: number
}

/** What an answer says, from this application to the last. */
export interface Said {
  readonly by: string
  /** x-envoy-expected-rq-timeout-ms as it came. */
  readonly told?: string
  readonly next?: Said
  readonly padding?: string
}

interface Job {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The turn in which it was read. */
  readonly turn: number
}

const TOLD = 'x-envoy-expected-rq-timeout-ms'
const PASSED = { trace: 'traceparent', deadline: TOLD, nothing: '' } as const
/** A request is read in one turn of the event loop, and that its connection has ended in the next. */
const TURNS = 2
/** A turn that takes longer than this, in milliseconds, was not taken in one go. */
const STOPPED = 200
/** What is on its way when the program is told to stop arrives within this, in milliseconds. */
const LAST_REQUESTS = 500
/** Numbers that are kept one by one are kept up to here. */
const MOST_KEPT = 20_000

const options = JSON.parse(process.argv[2] ?? '{}') as ServiceOptions
const { name, file, serviceMs, concurrency, next, passes = 'nothing', aborts = true } = options
const padding = options.padding === undefined ? {} : { padding: 'x'.repeat(options.padding) }
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
const queue: Job[] = []
const stalled = new Set<() => void>()
const seconds: ServiceSecond[] = []
const readLate: number[] = []
const begunLate: number[] = []
let order: Order = { mode: 'ok' }
let busy = 0
let arrived = 0
let begun = 0
let finished = 0
let dropped = 0
let longestQueue = 0
let willLook = false
let turns = 0
let notBefore = 0
let isStopping = false

function thisSecond(): ServiceSecond {
  const at = Math.floor(Date.now() / 1000)
  let last = seconds[seconds.length - 1]
  if (last === undefined || last.at < at) {
    last = { at, arrived: 0, begun: 0, finished: 0, failed: 0 }
    seconds.push(last)
  }
  return last
}

function noteLate(job: Job, list: number[]): void {
  const late = Date.now() - Number(job.request.headers['x-test-deadline'] ?? Infinity)
  if (late > 0 && list.length < MOST_KEPT) list.push(late)
}

function arrive(job: Job): void {
  arrived += 1
  thisSecond().arrived += 1
  noteLate(job, readLate)
  if (order.mode === 'fail') {
    fail(job, order.status)
    return
  }
  queue.push(job)
  longestQueue = Math.max(longestQueue, queue.length)
  lookLater()
}

/** Looks once a turn of the event loop, after everything that can be read was read, for as long as there is a reason. */
function lookLater(): void {
  if (willLook) return
  willLook = true
  const from = performance.now()
  setImmediate(() => {
    willLook = false
    turns += 1
    // It was stopped in between, and nothing has been read since.
    if (performance.now() - from > STOPPED) notBefore = turns + TURNS
    look()
  })
}

function look(): void {
  while (busy < concurrency) {
    const job = queue[0]
    if (job === undefined) return
    if (turns < Math.max(notBefore, job.turn + TURNS)) {
      lookLater()
      return
    }
    queue.shift()
    if (aborts && job.request.socket.destroyed) {
      dropped += 1
      continue
    }
    busy += 1
    void work(job).finally(() => {
      busy -= 1
      lookLater()
    })
  }
}

async function work(job: Job): Promise<void> {
  begun += 1
  thisSecond().begun += 1
  noteLate(job, begunLate)
  if (order.mode === 'stall') await untilToldOtherwise(job)
  const times = order.mode === 'slow' ? order.times : 1
  if (serviceMs > 0) await new Promise((resolve) => setTimeout(resolve, serviceMs * times))
  const key = job.request.headers['x-key']
  if (typeof key === 'string') appendFileSync(file, `${key}\n`)
  const told = job.request.headers[TOLD]
  const own = { by: name, ...padding, ...(typeof told === 'string' ? { told } : {}) }
  if (next === undefined) {
    answer(job, own)
    return
  }
  const { status, said } = await ask(next, job)
  if (status === 200) answer(job, { ...own, ...(said === undefined ? {} : { next: said }) })
  else fail(job, status)
}

async function untilToldOtherwise({ response }: Job): Promise<void> {
  await new Promise<void>((resolve) => {
    stalled.add(resolve)
    if (aborts) response.once('close', resolve)
  })
}

async function ask(url: string, job: Job): Promise<{ status: number; said?: Said }> {
  const headers: Record<string, string> = {}
  for (const field of ['x-test-deadline', PASSED[passes]]) {
    const value = job.request.headers[field]
    if (typeof value === 'string') headers[field] = value
  }
  return await new Promise((resolve) => {
    const asked = request(url, { agent, headers }, (response) => {
      const { statusCode = 0 } = response
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', () => {
        resolve({ status: 502 })
      })
      response.on('end', () => {
        const isGood = statusCode === 200 && response.complete
        resolve(isGood ? { status: 200, said: JSON.parse(text) as Said } : { status: statusCode })
      })
    })
    asked.on('error', () => {
      resolve({ status: 502 })
    })
    if (aborts) job.response.once('close', () => asked.destroy())
    asked.end()
  })
}

function answer(job: Job, said: Said): void {
  if (order.mode === 'fail') {
    fail(job, order.status)
    return
  }
  finished += 1
  thisSecond().finished += 1
  send(job, 200, JSON.stringify(said))
}

function fail(job: Job, status: number): void {
  thisSecond().failed += 1
  send(job, status, '')
}

function send({ response }: Job, status: number, body: string): void {
  if (isStopping) response.setHeader('connection', 'close')
  response.writeHead(status, { 'x-served-by': name, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

function obey(given: Order): void {
  if (given.mode === 'stats') {
    const counts = { arrived, begun, finished, dropped, readLate, begunLate, longestQueue }
    process.stdout.write(`${JSON.stringify({ seconds, ...counts } satisfies ServiceStats)}\n`)
  } else if (given.mode === 'stop') {
    isStopping = true
    server.close(() => process.exit(0))
    server.closeIdleConnections()
    // Node.js takes a connection on which nothing was ever asked for a busy one, for a minute.
    setInterval(() => {
      if (busy === 0 && queue.length === 0) server.closeAllConnections()
    }, LAST_REQUESTS)
  } else {
    order = given
    if (given.mode === 'fail') for (const job of queue.splice(0)) fail(job, given.status)
    for (const go of stalled) go()
    stalled.clear()
  }
}

const server = createServer((request, response) => {
  request.on('error', () => undefined)
  request.once('end', () => {
    arrive({ request, response, turn: turns })
  })
  request.resume()
})
server.keepAliveTimeout = 60_000
server.listen({ port: options.port, host: '::', backlog: 4096 }, () => {
  process.stdout.write('"listening"\n')
})
createInterface({ input: process.stdin })
  .on('line', (line) => {
    obey(JSON.parse(line) as Order)
  })
  .on('close', () => process.exit(0))
