// The backend of the scenarios about many streams over HTTP/2: small answers, answers that come in small pieces and
// never end, and one that never ends either but comes as fast as it is taken.

import { createServer, type ServerHttp2Stream } from 'node:http2'
import { FLOOD, PIECES } from '../h2-paths.ts'
import { ANSWER_BODY, patternAt } from '../protocol.ts'

const PIECE_BYTES = 64
const PIECE_MS = 200
const BACKLOG = 4096

function answer(stream: ServerHttp2Stream): void {
  stream.respond({
    ':status': 200,
    'content-type': 'text/plain',
    'content-length': ANSWER_BODY.length,
  })
  stream.end(ANSWER_BODY)
}

function pieces(stream: ServerHttp2Stream): void {
  let position = 0
  const send = (): void => {
    const piece = patternAt(position, PIECE_BYTES)
    position += piece.length
    stream.write(piece)
  }
  stream.respond({ ':status': 200 })
  send()
  const timer = setInterval(send, PIECE_MS)
  stream.once('close', () => {
    clearInterval(timer)
  })
}

function flood(stream: ServerHttp2Stream): void {
  let position = 0
  const send = (): void => {
    let isTaken = true
    while (isTaken && !stream.destroyed) {
      const chunk = patternAt(position, Number.MAX_SAFE_INTEGER)
      position += chunk.length
      isTaken = stream.write(chunk)
    }
  }
  stream.respond({ ':status': 200 })
  stream.on('drain', send)
  send()
}

const server = createServer()
server.on('stream', (stream, headers) => {
  // The proxy ends streams when its client leaves.
  stream.on('error', () => undefined)
  const path = headers[':path']
  if (path === PIECES) pieces(stream)
  else if (path === FLOOD) flood(stream)
  else answer(stream)
})
server.on('sessionError', () => undefined)
server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG }, () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') {
    process.stdout.write(`listening ${address.port}\n`)
  }
})
process.stdin.resume().once('end', () => process.exit(0))
