// A client that the demo runs in a pod, as that pod's application. What it saw is printed as lines of JSON; it never
// waits longer than a few seconds for an answer. See the functions for what it can do.

import { Agent, get } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { runSteady } from './steady.ts'
import { speakWebSocket } from './web-socket.ts'

const TIMEOUT = 4000
const [mode = '', target = '', third = '', ...rest] = process.argv.slice(2)

export interface Got {
  /** Of an answer with status 200. */
  readonly body?: { readonly from: string; readonly peer: string }
  readonly status?: number
  readonly error?: string
  /** The first that was set, as `name=value`. */
  readonly cookie?: string
  /** Bytes that the socket read and wrote. */
  readonly read: number
  readonly written: number
  /** Milliseconds from asking to the end of the answer. */
  readonly took: number
}

export interface Greeted {
  readonly text: string
  readonly error?: string
  /** Milliseconds from dialling to the server's first byte. */
  readonly took: number
}

export interface Held {
  /** Who answered, one name a request. */
  readonly names: readonly string[]
  /** Connections made so far. */
  readonly connections: number
}

export interface Visited {
  readonly names: readonly string[]
  readonly cookies: number
}

const sockets = new Set<Socket>()

const MODES: Readonly<Record<string, () => unknown>> = {
  get: getMany,
  greet: async () => await greet(target, Number(third)),
  send: async () => await send(target, Number(third), rest),
  visit: async () => await visit(Number(third), Number(rest[0])),
  websocket: async () => await speakWebSocket(target, [third, ...rest]),
  http2: async () => await multiplex(target, Number(third)),
  hold,
  steady: () => {
    runSteady(target, Number(third), Number(rest[0]))
  },
}

const result = await MODES[mode]?.()
if (result !== undefined) print(result)

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** `get URL COUNT`: one connection after the other, each with one request. */
async function getMany(): Promise<Got[]> {
  const all: Got[] = []
  for (let i = 0; i < Number(third); i++) all.push(await getOnce(false))
  return all
}

async function getOnce(agent: Agent | false, headers = {}): Promise<Got> {
  return await new Promise((resolve) => {
    let socket: Socket | undefined
    const start = performance.now()
    const settle = (what: Omit<Got, 'read' | 'written' | 'took'>): void => {
      const took = performance.now() - start
      resolve({ ...what, read: socket?.bytesRead ?? 0, written: socket?.bytesWritten ?? 0, took })
    }
    const fail = (error: Error): void => {
      settle({ error: error.message })
    }
    const request = get(target, { agent, headers, timeout: TIMEOUT }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('error', fail)
      response.on('end', () => {
        const status = response.statusCode ?? 0
        const cookie = response.headers['set-cookie']?.[0]?.split(';')[0]
        const known = { status, ...(cookie === undefined ? {} : { cookie }) }
        if (status === 200) settle({ ...known, body: JSON.parse(text) as NonNullable<Got['body']> })
        else settle({ ...known, error: `answered ${status}` })
      })
    })
    request.on('socket', (given) => {
      socket = given
      sockets.add(given)
    })
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', fail)
  })
}

/** `greet HOST PORT`: says nothing until the server has spoken, then a line, then goodbye. */
async function greet(host: string, port: number): Promise<Greeted> {
  const start = performance.now()
  return await new Promise((resolve) => {
    const socket = connect(port, host)
    let text = ''
    let took = 0
    socket.setTimeout(TIMEOUT, () => socket.destroy(new Error('no greeting in time')))
    socket.setEncoding('utf8')
    socket.on('data', (part: string) => {
      if (text === '') {
        took = performance.now() - start
        socket.write('HELO tour\r\nQUIT\r\n')
      }
      text += part
    })
    socket.on('end', () => socket.end())
    socket.on('error', (error) => {
      resolve({ text, took, error: error.message })
    })
    socket.on('close', () => {
      resolve({ text, took })
    })
  })
}

/** `send HOST PORT TEXT...`: each text as it stands on a connection of its own, and what came back. */
async function send(host: string, port: number, texts: readonly string[]): Promise<string[]> {
  const answers: string[] = []
  for (const text of texts) {
    answers.push(
      await new Promise<string>((resolve) => {
        let answer = ''
        const socket = connect(port, host, () => socket.write(text))
        socket.setTimeout(TIMEOUT, () => socket.destroy(new Error('not closed in time')))
        socket.setEncoding('utf8')
        socket.on('data', (part: string) => {
          answer += part
        })
        socket.on('error', (error) => {
          resolve(`${answer}${error.message}`)
        })
        socket.on('close', () => {
          resolve(answer)
        })
      }),
    )
  }
  return answers
}

/**
 * `visit URL VISITORS TIMES`: visitors who ask so often, each time on a new connection, and bring along the cookies
 * that they were given. Who answered, by visitor, and how many cookies each was given.
 */
async function visit(visitors: number, times: number): Promise<Visited[]> {
  const all: Visited[] = []
  for (let i = 0; i < visitors; i++) {
    const names: string[] = []
    const cookies: string[] = []
    for (let j = 0; j < times; j++) {
      const { body, error, cookie } = await getOnce(
        false,
        cookies.length === 0 ? {} : { cookie: cookies.join('; ') },
      )
      names.push(body?.from ?? `failed: ${error ?? ''}`)
      if (cookie !== undefined) cookies.push(cookie)
    }
    all.push({ names, cookies: cookies.length })
  }
  return all
}

/** `http2 URL COUNT`: so many requests on one connection of HTTP/2, ten under way at once. */
async function multiplex(url: string, count: number): Promise<Held> {
  const { origin, pathname } = new URL(url)
  const session = connectHttp2(origin)
  const names: string[] = []
  session.setTimeout(TIMEOUT, () => {
    session.destroy(new Error('no answer in time'))
  })
  session.on('error', () => undefined)
  const one = async (): Promise<string> =>
    await new Promise((resolve) => {
      let text = ''
      const stream = session.request({ ':path': pathname })
      stream.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      stream.on('error', (error: Error) => {
        resolve(`failed: ${error.message}`)
      })
      stream.on('end', () => {
        resolve(text === '' ? 'failed: no answer' : (JSON.parse(text) as { from: string }).from)
      })
    })
  const ten = async (): Promise<void> => {
    for (let at = 0; at < count / 10; at++) names.push(await one())
  }
  await Promise.all(Array.from({ length: 10 }, ten))
  session.close()
  return { names, connections: 1 }
}

/**
 * `hold URL COUNT`: opens so many connections, asks once on each, and keeps them. A line on standard input asks
 * again on the same ones, as often as the number in it says.
 */
async function hold(): Promise<void> {
  const agents = Array.from(
    { length: Number(third) },
    () => new Agent({ keepAlive: true, maxSockets: 1 }),
  )
  const ask = async (times: number): Promise<void> => {
    const names: string[] = []
    for (let i = 0; i < times; i++) {
      for (const agent of agents) {
        const { body, error } = await getOnce(agent)
        names.push(body?.from ?? `failed: ${error ?? ''}`)
      }
    }
    print({ names, connections: sockets.size } satisfies Held)
  }
  await ask(1)
  createInterface({ input: process.stdin }).on('line', (line) => void ask(Number(line)))
}
