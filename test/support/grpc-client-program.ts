// The program that grpc-client.ts starts in a pod: a gRPC client on one channel, TARGET, that does as it is told.
//
// A line on standard input is an order in JSON, carried out beside the others, and answered with a line of its id.
// Calls that stay open have a name, by which later orders mean them. It ends with its standard input.

import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import {
  Client,
  type ClientDuplexStream,
  type ClientUnaryCall,
  credentials,
  type Metadata,
  Metadata as MetadataClass,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js'
import { METHODS, messageOf, packed, same } from './grpc-calls.ts'

export type Order =
  | {
      op: 'call'
      method: 'who' | 'end' | 'stall'
      message?: unknown
      metadata?: Readonly<Record<string, string>>
      /** Milliseconds. */
      deadline?: number
      /** For `cancel`. */
      name?: string
    }
  | { op: 'tally'; count: number; atOnce: number }
  | { op: 'many'; count: number; size: number }
  | { op: 'collect'; count: number; size: number }
  | { op: 'chat'; count: number; size: number }
  | { op: 'open' | 'end' | 'cancel'; name: string }
  | { op: 'say'; name: string; text: string }

/** How a call went; `message` is empty if there was none. */
export interface Called {
  readonly code: number
  readonly details: string
  readonly message: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly trailers: Readonly<Record<string, unknown>>
  readonly took: number
}

export interface Streamed {
  readonly code: number
  readonly details: string
  /** Messages that came, those out of their order, and the sum over all. */
  readonly count: number
  readonly disordered: number
  readonly sha256: string
  readonly message: string
}

const OPTIONS = {
  // One try each: what fails is seen.
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.max_metadata_size': 65_536,
  'grpc.max_receive_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100,
}

const [target = ''] = process.argv.slice(2)
const client = new Client(target, credentials.createInsecure(), OPTIONS)
const calls = new Map<string, ClientUnaryCall>()
const chats = new Map<string, Chat>()

function metadataOf(fields: Readonly<Record<string, string>> = {}): Metadata {
  const metadata = new MetadataClass()
  for (const [key, value] of Object.entries(fields)) metadata.set(key, value)
  return metadata
}

async function call(order: Extract<Order, { op: 'call' }>): Promise<Called> {
  const { method, message = '', metadata, deadline, name } = order
  const start = performance.now()
  return await new Promise((resolve) => {
    let headers: Readonly<Record<string, unknown>> = {}
    let said = ''
    const options = deadline === undefined ? {} : { deadline: Date.now() + deadline }
    const { path } = METHODS[method]
    const made = client.makeUnaryRequest(
      path,
      same,
      same,
      packed(message),
      metadataOf(metadata),
      options,
      (_: ServiceError | null, answer?: Buffer) => {
        said = String(answer ?? '')
      },
    )
    if (name !== undefined) calls.set(name, made)
    made.on('metadata', (first: Metadata) => {
      headers = first.getMap()
    })
    made.on('status', ({ code, details, metadata: last }: StatusObject) => {
      const took = performance.now() - start
      // The callback comes after it.
      setImmediate(() => {
        resolve({ code, details, message: said, headers, trailers: last.getMap(), took })
      })
    })
  })
}

/** Who answered, `atOnce` under way at once; failures by their details. */
async function tally(count: number, atOnce: number): Promise<Record<string, number>> {
  const answers: Record<string, number> = {}
  let left = count
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const { code, details, message } = await call({ op: 'call', method: 'who' })
      const who = code === 0 ? message : `failed: ${code} ${details}`
      answers[who] = (answers[who] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return answers
}

/** What comes in on a stream, held against a series of messages. */
class Series {
  count = 0
  disordered = 0
  readonly #hash = createHash('sha256')

  add(message: Buffer): void {
    if (message.readUInt32BE(0) !== this.count) this.disordered += 1
    this.count += 1
    this.#hash.update(message)
  }

  over({ code, details }: StatusObject, message = ''): Streamed {
    const { count, disordered } = this
    return { code, details, count, disordered, sha256: this.#hash.digest('hex'), message }
  }
}

async function many(count: number, size: number): Promise<Streamed> {
  const series = new Series()
  const { path } = METHODS.many
  const stream = client.makeServerStreamRequest(path, same, same, packed({ count, size }))
  stream.on('data', (message: Buffer) => {
    series.add(message)
  })
  return await new Promise((resolve) => {
    stream.on('error', () => undefined)
    stream.on('status', (status: StatusObject) => {
      setImmediate(() => {
        resolve(series.over(status))
      })
    })
  })
}

interface Writable {
  write(message: Buffer): boolean
  end(): void
  once(event: 'drain', then: () => void): unknown
}

function pour(stream: Writable, count: number, size: number): void {
  let at = 0
  const send = (): void => {
    while (at < count) {
      if (!stream.write(messageOf(at++, size))) {
        stream.once('drain', send)
        return
      }
    }
    stream.end()
  }
  send()
}

async function collect(count: number, size: number): Promise<Streamed> {
  return await new Promise((resolve) => {
    let said = ''
    const { path } = METHODS.collect
    const take = (_: ServiceError | null, answer?: Buffer): void => {
      said = String(answer ?? '')
    }
    const stream = client.makeClientStreamRequest(path, same, same, take)
    stream.on('status', (status: StatusObject) => {
      setImmediate(() => {
        resolve(new Series().over(status, said))
      })
    })
    pour(stream, count, size)
  })
}

/** A stream both ways that stays open. */
class Chat {
  readonly stream: ClientDuplexStream<Buffer, Buffer>
  readonly over: Promise<Streamed>
  readonly greeted: Promise<string>
  readonly #series = new Series()
  readonly #waiting: ((text: string) => void)[] = []

  constructor() {
    this.stream = client.makeBidiStreamRequest(METHODS.chat.path, same, same)
    this.stream.on('data', (message: Buffer) => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#series.add(message)
      else next(message.toString())
    })
    this.greeted = new Promise((resolve) => {
      this.stream.on('metadata', (metadata: Metadata) => {
        resolve(String(metadata.get('x-served-by')[0]))
      })
    })
    this.over = new Promise((resolve) => {
      this.stream.on('error', () => undefined)
      this.stream.on('status', (status: StatusObject) => {
        for (const each of this.#waiting.splice(0)) each(`over: ${status.details}`)
        setImmediate(() => {
          resolve(this.#series.over(status))
        })
      })
    })
  }

  async say(text: string): Promise<string> {
    return await new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.stream.write(Buffer.from(text))
    })
  }
}

async function chat(count: number, size: number): Promise<Streamed> {
  const made = new Chat()
  pour(made.stream, count, size)
  return await made.over
}

function known(name: string): Chat {
  const made = chats.get(name)
  if (made === undefined) throw new Error(`no chat ${name}`)
  return made
}

async function open(name: string): Promise<string> {
  const made = new Chat()
  chats.set(name, made)
  return await made.greeted
}

async function end(name: string): Promise<Streamed> {
  const made = known(name)
  made.stream.end()
  return await made.over
}

async function carryOut(order: Order): Promise<unknown> {
  switch (order.op) {
    case 'call':
      return await call(order)
    case 'tally':
      return await tally(order.count, order.atOnce)
    case 'many':
      return await many(order.count, order.size)
    case 'collect':
      return await collect(order.count, order.size)
    case 'chat':
      return await chat(order.count, order.size)
    case 'open':
      return await open(order.name)
    case 'say':
      return await known(order.name).say(order.text)
    case 'end':
      return await end(order.name)
    case 'cancel':
      calls.get(order.name)?.cancel()
      chats.get(order.name)?.stream.cancel()
      return Date.now()
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [id, order] = JSON.parse(line) as [number, Order]
    void carryOut(order).then((value) => {
      process.stdout.write(`${JSON.stringify([id, value])}\n`)
    })
  })
  .on('close', () => {
    process.exit(0)
  })
process.stdout.write('"started"\n')
