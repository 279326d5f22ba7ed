// Small TCP parts for tests on loopback: servers on free ports, clients, and what they saw.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export interface TestServer {
  readonly server: Server
  readonly port: number
  /** Connections that are open now or were. */
  readonly sockets: Socket[]
  readonly close: () => Promise<void>
}

/** A server on a free port of `host`; `serve` gets each connection, half-open allowed. */
export async function serve(
  onConnection: (socket: Socket) => void,
  host = '127.0.0.1',
): Promise<TestServer> {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  server.listen(0, host)
  await once(server, 'listening')
  return {
    server,
    port: (server.address() as AddressInfo).port,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A connected client, half-open allowed. */
export async function dial(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host, allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  return socket
}

/** Everything until the other side's FIN; rejects with the error code if the connection breaks. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** The code of the error that the connection breaks with. */
export async function errorOf(socket: Socket): Promise<string> {
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  return error.code ?? error.message
}

/** Waits until a condition holds, looking again at each turn of the event loop; fails after `limit` milliseconds. */
export async function until(what: string, holds: () => boolean, limit = 10_000): Promise<void> {
  const start = Date.now()
  while (!holds()) {
    if (Date.now() - start > limit) throw new Error(`not within ${limit} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

/** A promise that is resolved from outside. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
