// The program that web-server.ts starts in a pod: a Node.js web server as an application would have it, NAME PORT FILE.
//
// Plain node:http and the `ws` package. What it executed is written to FILE, one line a request with an id, before
// it answers, so that it is known after a SIGKILL too. Lines on standard input: `state` prints what it has counted,
// `say TEXT` sends an event to whoever reads /events, `stop` closes as a well-behaved server does.

import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocketServer } from 'ws'

const [name = '', port = '', file = ''] = process.argv.slice(2)

export interface WebState {
  readonly requests: number
  readonly connections: number
}

const listeners = new Set<ServerResponse>()
let requests = 0
let connections = 0
let isStopping = false

const server = createServer((request, response) => {
  requests += 1
  if (isStopping) response.setHeader('connection', 'close')
  void answer(request, response)
})
server.keepAliveTimeout = 60_000
server.on('connection', () => {
  connections += 1
})

const sockets = new WebSocketServer({ server })
sockets.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => {
    socket.send(data, { binary: isBinary })
  })
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://web')
  const wait = Number(url.searchParams.get('ms') ?? '0')
  if (url.pathname === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    listeners.add(response)
    return
  }
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk)
      bytes += chunk.length
    }
  } catch {
    // The client is gone; what it asked for is not executed.
    return
  }
  if (wait > 0) await sleep(wait)
  const id = request.headers['x-id']
  if (typeof id === 'string') appendFileSync(file, `${id}\n`)
  if (url.pathname === '/sum') response.end(`${bytes} ${hash.digest('hex')}`)
  else if (url.pathname === '/headers') response.end(JSON.stringify(request.rawHeaders))
  else if (url.pathname === '/status')
    response.writeHead(Number(url.searchParams.get('code'))).end()
  else response.setHeader('x-served-by', name).end(name)
}

function obey(line: string): void {
  if (line === 'state') {
    process.stdout.write(`${JSON.stringify({ requests, connections } satisfies WebState)}\n`)
  } else if (line === 'stop') {
    isStopping = true
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  } else {
    for (const response of listeners) response.write(`data: ${line.slice('say '.length)}\n\n`)
  }
}

server.listen(Number(port), '::', () => {
  process.stdout.write('"listening"\n')
})
createInterface({ input: process.stdin })
  .on('line', obey)
  .on('close', () => process.exit(0))
