// A proxy as one would write it with node:http2: a server, one session to the backend, bodies piped in both
// directions. It takes Node's cheaper interface (streams, not requests and responses), opens a stream that has no
// body as such, and passes no trailers on, which spares it work. What the project's own codec is held against.

import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'

const BACKLOG = 4096
/** As many as our own proxy takes. */
const STREAMS = 1000
const END_STREAM = constants.NGHTTP2_FLAG_END_STREAM

const backend = `http://127.0.0.1:${process.argv[2] ?? ''}`
let session: ClientHttp2Session | undefined

function upstream(): ClientHttp2Session {
  if (session === undefined || session.closed || session.destroyed) {
    session = connect(backend)
    // Its streams hear of it too.
    session.on('error', () => undefined)
  }
  return session
}

function forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number): void {
  const endStream = (flags & END_STREAM) !== 0
  const request = upstream().request(headers, { endStream })
  if (!endStream) stream.pipe(request)
  request.on('response', (answer, itsFlags) => {
    if (stream.destroyed) return
    const isWhole = (itsFlags & END_STREAM) !== 0
    stream.respond(answer, { endStream: isWhole })
    if (!isWhole) request.pipe(stream)
  })
  request.on('error', () => {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  })
  stream.on('error', () => undefined)
  stream.on('aborted', () => {
    request.close(constants.NGHTTP2_CANCEL)
  })
}

const server = createServer({ settings: { maxConcurrentStreams: STREAMS } })
server.on('stream', forward)
server.on('sessionError', () => undefined)
server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG }, () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') {
    process.stdout.write(`listening ${address.port}\n`)
  }
})
process.stdin.resume().once('end', () => process.exit(0))
