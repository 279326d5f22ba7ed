// A client of HTTP/2 on one connection, URL, that holds streams as it is told by lines on standard input, each answered
// with a line of JSON.
//
// `open N` opens so many streams to /echo, `say BYTES` sends so many on each and waits for them to come back, `end` ends
// them; `stick BYTES` asks for so many and reads none of them, `unstick` reads them; `bulk N BYTES` asks N times for so
// many and reads all. The server is h2-program.ts.

import { type ClientHttp2Stream, connect } from 'node:http2'
import { createInterface } from 'node:readline'

const [url = ''] = process.argv.slice(2)
// In MB: by itself Node.js refuses streams beyond 10.
const session = connect(url, { maxSessionMemory: 1000 })
const echoes: Echo[] = []
let stuck: ClientHttp2Stream | undefined

/** A stream to /echo, which stays. */
class Echo {
  readonly stream: ClientHttp2Stream
  readonly #closed: Promise<number>
  #received = 0
  #wanted = 0
  #then: (() => void) | undefined

  constructor() {
    this.stream = session.request({ ':path': '/echo', ':method': 'POST' }, { endStream: false })
    this.stream.on('data', (chunk: Buffer) => {
      this.#received += chunk.length
      if (this.#received >= this.#wanted) this.#then?.()
    })
    this.stream.on('error', () => undefined)
    this.#closed = new Promise((resolve) => {
      this.stream.on('close', () => {
        this.#then?.()
        resolve(this.stream.rstCode)
      })
    })
  }

  async say(bytes: number): Promise<void> {
    this.#wanted += bytes
    await new Promise<void>((resolve) => {
      this.#then = resolve
      this.stream.write(Buffer.alloc(bytes, 'x'))
    })
  }

  /** True if it ended in order, with all that was sent. */
  async end(): Promise<boolean> {
    this.stream.end()
    return (await this.#closed) === 0 && this.#received === this.#wanted
  }
}

async function read(stream: ClientHttp2Stream): Promise<number> {
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  return await new Promise((resolve) => {
    stream.on('error', () => undefined)
    stream.on('close', () => {
      resolve(bytes)
    })
  })
}

async function stick(bytes: number): Promise<{ status: number }> {
  const stream = session.request({ ':path': `/bulk?bytes=${bytes}` })
  stuck = stream
  return await new Promise((resolve) => {
    stream.on('response', (headers) => {
      resolve({ status: Number(headers[':status']) })
    })
  })
}

async function bulk(count: number, bytes: number): Promise<{ whole: number; took: number }> {
  const start = performance.now()
  const one = async (): Promise<number> =>
    await read(session.request({ ':path': `/bulk?bytes=${bytes}` }))
  const all = await Promise.all(Array.from({ length: count }, one))
  const whole = all.filter((each) => each === bytes).length
  return { whole, took: performance.now() - start }
}

async function carryOut(order: string, first: number, second: number): Promise<unknown> {
  switch (order) {
    case 'open':
      for (let at = 0; at < first; at += 1) echoes.push(new Echo())
      return { open: echoes.length }
    case 'say':
      await Promise.all(
        echoes.map(async (echo) => {
          await echo.say(first)
        }),
      )
      return { said: echoes.length }
    case 'end': {
      const all = await Promise.all(echoes.map(async (echo) => await echo.end()))
      return { whole: all.filter((isWhole) => isWhole).length }
    }
    case 'stick':
      return await stick(first)
    case 'unstick':
      return { bytes: stuck === undefined ? 0 : await read(stuck) }
    default:
      return await bulk(first, second)
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [order = '', first = '', second = ''] = line.split(' ')
    void carryOut(order, Number(first), Number(second)).then((value) => {
      process.stdout.write(`${JSON.stringify(value)}\n`)
    })
  })
  .on('close', () => {
    process.exit(0)
  })
