// A client that the tour runs in a pod, as that pod's application: `get URL COUNT`, `greet HOST PORT` or
// `hold URL COUNT`. What it saw is printed as lines of JSON; it never waits longer than a few seconds.

import { Agent, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

const TIMEOUT = 4000
const [mode = '', target = '', third = ''] = process.argv.slice(2)

export interface Got {
  readonly body?: { readonly from: string; readonly peer: string }
  readonly error?: string
  /** Bytes that the socket read and wrote. */
  readonly read: number
  readonly written: number
}

export interface Greeted {
  readonly text: string
  readonly error?: string
  /** Milliseconds from dialling to the server's first byte. */
  readonly took: number
}

export interface Held {
  /** Who answered, one name a connection. */
  readonly names: readonly string[]
  /** Connections made so far. */
  readonly connections: number
}

const sockets = new Set<Socket>()

if (mode === 'get') print(await getMany())
else if (mode === 'greet') print(await greet(target, Number(third)))
else await hold()

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** One connection after the other, each with one request. */
async function getMany(): Promise<Got[]> {
  const all: Got[] = []
  for (let i = 0; i < Number(third); i++) all.push(await getOnce(false))
  return all
}

async function getOnce(agent: Agent | false): Promise<Got> {
  return await new Promise((resolve) => {
    let socket: Socket | undefined
    const settle = (rest: Pick<Got, 'body' | 'error'>): void => {
      resolve({ ...rest, read: socket?.bytesRead ?? 0, written: socket?.bytesWritten ?? 0 })
    }
    const fail = (error: Error): void => {
      settle({ error: error.message })
    }
    const request = get(target, { agent, timeout: TIMEOUT }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('error', fail)
      response.on('end', () => {
        settle({ body: JSON.parse(text) as NonNullable<Got['body']> })
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

/** Says nothing until the server has spoken, then a line, then goodbye. */
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

/** Opens its connections and keeps them; each line on standard input asks again on the same ones. */
async function hold(): Promise<void> {
  const agents = Array.from(
    { length: Number(third) },
    () => new Agent({ keepAlive: true, maxSockets: 1 }),
  )
  const ask = async (): Promise<void> => {
    const names: string[] = []
    for (const agent of agents) {
      const { body, error } = await getOnce(agent)
      names.push(body?.from ?? `failed: ${error ?? ''}`)
    }
    print({ names, connections: sockets.size } satisfies Held)
  }
  await ask()
  createInterface({ input: process.stdin }).on('line', () => void ask())
}
