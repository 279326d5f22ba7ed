// A web server of HTTP/2 by prior knowledge as an application would have it, NAME PORT: plain node:http2.
//
// `/sum` answers with what it was sent, as bytes and SHA-256, and trailers, with what was in the request's; `/echo` sends it back as it comes;
// `/bulk?bytes=N` sends so many; anything else is answered with NAME.

import { createHash } from 'node:crypto'
import { createServer, type ServerHttp2Stream } from 'node:http2'

const [name = '', port = ''] = process.argv.slice(2)
const PIECE = Buffer.alloc(16_384, 'underpass ')

function sum(stream: ServerHttp2Stream): void {
  const hash = createHash('sha256')
  let bytes = 0
  let heard = ''
  stream.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    bytes += chunk.length
  })
  stream.on('trailers', (fields) => {
    heard = String(fields['x-before'])
  })
  stream.on('end', () => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'x-counted': `${bytes}`, 'x-heard': heard })
    })
    stream.end(`${bytes} ${hash.digest('hex')}`)
  })
}

function bulk(stream: ServerHttp2Stream, bytes: number): void {
  stream.respond({ ':status': 200, 'content-length': bytes })
  let left = bytes
  const send = (): void => {
    while (left > 0) {
      const size = Math.min(left, PIECE.length)
      left -= size
      if (!stream.write(PIECE.subarray(0, size))) {
        stream.once('drain', send)
        return
      }
    }
    stream.end()
  }
  send()
}

// In MB: by itself Node.js refuses streams beyond 10.
const server = createServer({ maxSessionMemory: 1000 })
server.on('stream', (stream, headers) => {
  stream.on('error', () => undefined)
  if (headers.expect === '100-continue') stream.additionalHeaders({ ':status': 100 })
  const { pathname, searchParams } = new URL(headers[':path'] ?? '/', 'http://web')
  if (pathname === '/sum') sum(stream)
  else if (pathname === '/bulk') bulk(stream, Number(searchParams.get('bytes')))
  else if (pathname === '/echo') {
    stream.respond({ ':status': 200 })
    stream.pipe(stream)
  } else {
    stream.respond({ ':status': 200 })
    stream.end(name)
  }
})
server.listen(Number(port), '::', () => process.stdout.write('"listening"\n'))
