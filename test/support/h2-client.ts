// A client that speaks HTTP/2 by prior knowledge, on Node's own implementation: what a test asks, and all that came of
// it.

import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { until } from './until.ts'

/** A request and what came of it. */
export class H2Asked {
  readonly stream: ClientHttp2Stream
  status = 0
  headers: IncomingHttpHeaders = {}
  trailers: IncomingHttpHeaders | undefined
  readonly interim: number[] = []
  readonly #chunks: Buffer[] = []
  ended = false
  closed = false

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream
    this.trailers = undefined
    stream.on('response', (headers) => {
      this.status = Number(headers[':status'])
      this.headers = headers
    })
    stream.on('headers', (headers) => {
      this.interim.push(Number(headers[':status']))
    })
    stream.on('trailers', (trailers: IncomingHttpHeaders) => {
      this.trailers = trailers
    })
    stream.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
    })
    stream.on('end', () => {
      this.ended = true
    })
    stream.on('close', () => {
      this.closed = true
    })
    stream.on('error', () => undefined)
  }

  get body(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get text(): string {
    return this.body.toString('latin1')
  }

  /** The code of RST_STREAM, in either direction; 0 if there was none. */
  get code(): number {
    return this.stream.rstCode
  }

  /** Once the stream is closed. */
  async over(): Promise<this> {
    await until(`stream ${this.stream.id ?? '?'} is over`, () => this.closed)
    return this
  }
}

export class H2Client {
  readonly session: ClientHttp2Session
  /** GOAWAY frames: code and last stream. */
  readonly goaways: [code: number, last: number][] = []
  closed = false
  error = ''

  private constructor(session: ClientHttp2Session) {
    this.session = session
    session.on('goaway', (code, last) => {
      this.goaways.push([code, last])
    })
    session.on('close', () => {
      this.closed = true
    })
    session.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code ?? error.message
    })
  }

  static async connect(port: number, settings = {}): Promise<H2Client> {
    const session = connect(`http://127.0.0.1:${port}`, { settings })
    const client = new H2Client(session)
    await once(session, 'connect')
    return client
  }

  /** A request without a body, or with one; `null` leaves it open. */
  ask(headers: OutgoingHttpHeaders = {}, body: string | Buffer | null = ''): H2Asked {
    const isEnd = body?.length === 0
    const stream = this.session.request(
      { ':authority': 'a.example', ...headers },
      { endStream: isEnd },
    )
    if (!isEnd && body !== null) stream.end(body)
    return new H2Asked(stream)
  }

  async get(path = '/', headers: OutgoingHttpHeaders = {}): Promise<H2Asked> {
    return await this.ask({ ':path': path, ...headers }).over()
  }

  async over(): Promise<void> {
    await until('the session is closed', () => this.closed)
  }

  destroy(): void {
    this.session.destroy()
  }
}
