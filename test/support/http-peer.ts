// Both ends of a proxy under test, byte by byte: a client and a backend on loopback that keep what they saw.
//
// Neither of them parses more HTTP than where a message ends, so what a test sends and asserts are the bytes
// themselves, right or wrong. All text is latin1.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { messageEnd } from './http-text.ts'
import { asBuffer, type Bytes, RawPeer } from './raw-peer.ts'
import { until } from './until.ts'

/** A client that writes what it is told, piece by piece, and keeps what comes back. */
export class RawClient extends RawPeer {
  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host, allowHalfOpen: true, noDelay: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /**
   * Writes one piece after another. Each is flushed, and a receiver in this process that reads has read it, before
   * the next one is written: pieces are not joined on the way. Rejects if the connection breaks.
   */
  async send(...pieces: readonly Bytes[]): Promise<void> {
    for (const piece of pieces) {
      await new Promise<void>((resolve, reject) => {
        this.socket.write(asBuffer(piece), (error) => {
          if (error) reject(error)
          else resolve()
        })
      })
      // The second one comes after a whole round of the event loop, in which all that is readable is read.
      await setImmediate()
      await setImmediate()
    }
  }
}

/** A connection that a backend accepted. */
export class BackendConnection extends RawPeer {
  /** Requests that arrived whole, each from its first byte to its body's last. */
  readonly requests: string[] = []
  readonly #script: Script
  /** Where the request begins that is not whole yet, and where it may end. */
  #from = 0
  #end = 0
  #next = 0

  constructor(socket: Socket, script: Script) {
    super(socket)
    this.#script = script
  }

  /** The next whole request that was not handed out yet. */
  next(): string | undefined {
    const request = this.requests[this.#next]
    if (request !== undefined) this.#next++
    return request
  }

  protected override arrived(): void {
    while (this.text.length >= this.#end) {
      const end = messageEnd(this.text, this.#from)
      // Not to look through a long body at each of its pieces.
      this.#end = end === Infinity ? 0 : end
      if (end > this.text.length) break
      this.requests.push(this.text.slice(this.#from, end))
      this.#from = end
    }
    this.#script(this, this.text)
  }
}

/** Called whenever bytes have arrived, with all text so far: writes, ends or resets as it likes. */
export type Script = (connection: BackendConnection, text: string) => void

/** What one request is answered with; nothing is written for undefined. */
export type Answer = (request: string, connection: BackendConnection) => Bytes | undefined

/** Answers every whole request, pipelined ones in their order. */
export function answering(answer: Bytes | Answer): Script {
  return (connection) => {
    for (let request = connection.next(); request !== undefined; request = connection.next()) {
      const bytes = typeof answer === 'function' ? answer(request, connection) : answer
      if (bytes !== undefined) connection.write(bytes)
    }
  }
}

export interface BackendOptions {
  /** Called as soon as a connection is accepted: for servers that speak first, or do not read. */
  readonly accepted?: (connection: BackendConnection) => void
  /** A client's FIN does not end this side; the test does. */
  readonly halfOpen?: boolean
  readonly host?: string
  readonly port?: number
}

/** A server that does what a script says, and records every byte. */
export class RawBackend {
  readonly port: number
  /** Every connection that was accepted, in this order. */
  readonly connections: BackendConnection[]
  readonly #server: Server

  private constructor(server: Server, connections: BackendConnection[]) {
    this.#server = server
    this.connections = connections
    this.port = (server.address() as AddressInfo).port
  }

  static async listen(script: Script, options: BackendOptions = {}): Promise<RawBackend> {
    const connections: BackendConnection[] = []
    const allowHalfOpen = options.halfOpen ?? false
    const server = createServer({ allowHalfOpen, noDelay: true }, (socket) => {
      const connection = new BackendConnection(socket, script)
      connections.push(connection)
      options.accepted?.(connection)
    })
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1')
    await once(server, 'listening')
    return new RawBackend(server, connections)
  }

  /** What all connections received, one after another. */
  get received(): string {
    return this.connections.map(({ text }) => text).join('')
  }

  /** Whole requests over all connections. */
  get requests(): string[] {
    return this.connections.flatMap(({ requests }) => requests)
  }

  /** The connection that was accepted as number `index`, from 0; waits for it. */
  async connection(index: number): Promise<BackendConnection> {
    return await until(`connection ${index}`, () => this.connections[index])
  }

  /** Stops accepting and drops every connection. */
  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }
}
