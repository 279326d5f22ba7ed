// What the benchmark's servers have in common: a free port on 127.0.0.1, printed once it listens, and an end when
// whoever started the server goes away.

import { createServer, type Server, type Socket } from 'node:net'

const BACKLOG = 4096

/** Serves every connection with `serve` until standard input closes. */
export function serve(accept: (socket: Socket) => void): Server {
  const server = createServer({ noDelay: true }, (socket) => {
    // A connection that breaks is the client's to judge: it knows what it still expected.
    socket.on('error', () => undefined)
    accept(socket)
  })
  server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG }, () => {
    const address = server.address()
    if (address !== null && typeof address === 'object') {
      process.stdout.write(`listening ${address.port}\n`)
    }
  })
  process.stdin.resume().once('end', () => process.exit(0))
  return server
}
