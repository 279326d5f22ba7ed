// A server of HTTP/2 by prior knowledge, on Node's own implementation, that keeps what it was asked; what it answers is
// the test's.

import { once } from 'node:events'
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2'
import type { AddressInfo } from 'node:net'

/** A request as it came, and the stream to answer it on. */
export class H2Asked {
  readonly stream: ServerHttp2Stream
  readonly headers: IncomingHttpHeaders
  readonly session: ServerHttp2Session
  trailers: IncomingHttpHeaders | undefined
  isEnded = false
  isClosed = false
  /** Bytes of the body. */
  length = 0
  readonly #chunks: Buffer[] = []

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    session: ServerHttp2Session,
  ) {
    this.stream = stream
    this.headers = headers
    this.session = session
    this.trailers = undefined
    stream.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.length += chunk.length
    })
    stream.on('trailers', (trailers) => {
      this.trailers = trailers
    })
    stream.on('end', () => {
      this.isEnded = true
    })
    stream.on('close', () => {
      this.isClosed = true
    })
    stream.on('error', () => undefined)
  }

  get path(): string {
    return this.headers[':path'] ?? ''
  }

  get body(): string {
    return Buffer.concat(this.#chunks).toString('latin1')
  }

  /** Answers 200 with that body and its length. */
  ok(body: string): void {
    this.stream.respond({ ':status': 200, 'content-length': body.length })
    this.stream.end(body)
  }
}

/**
 * A stream that Node.js 20 resets while it is being told of its frames is freed, and then used: memory of the process
 * is damaged, and some time later it aborts. So a reset waits until the read is over.
 */
function closeOutsideOfReads(stream: ServerHttp2Stream): void {
  const close = stream.close.bind(stream)
  stream.close = (code, done) => {
    setImmediate(close, code, done)
  }
}

export type H2Answer = (asked: H2Asked) => void

export class H2Server {
  readonly port: number
  readonly sessions: ServerHttp2Session[] = []
  readonly asked: H2Asked[] = []
  /** GOAWAY codes that clients sent. */
  readonly goaways: number[] = []
  readonly #server: Http2Server

  private constructor(server: Http2Server, answer: H2Answer) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on('session', (session) => {
      this.sessions.push(session)
      session.on('error', () => undefined)
      session.on('goaway', (code: number) => {
        this.goaways.push(code)
      })
    })
    server.on('stream', (stream, headers) => {
      const session = stream.session
      if (session === undefined) return
      closeOutsideOfReads(stream)
      const asked = new H2Asked(stream, headers, session as ServerHttp2Session)
      this.asked.push(asked)
      answer(asked)
    })
    server.on('sessionError', () => undefined)
  }

  static async listen(answer: H2Answer, settings: Settings = {}): Promise<H2Server> {
    const server = createServer({ settings })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new H2Server(server, answer)
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }
}
