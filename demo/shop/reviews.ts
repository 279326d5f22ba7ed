// The shop's reviews: a text, and the stars that it asks the ratings for. `/who` says only who answers, `/busy` that it
// cannot, and a WebSocket is told its own words. On 9081 it says who answers over HTTP/2.

import { createServer } from 'node:http2'
import { getJson, NAME, Status, seen, serveJson } from './service.ts'
import { acceptWebSocket } from './web-socket.ts'

const server = serveJson(9080, async (request) => {
  if (request.url === '/who') return seen(request)
  if (request.url === '/busy') throw new Status(503)
  if (request.url !== '/') throw new Status(404)
  return {
    ...seen(request),
    text: 'Keeps what it promises.',
    ratings: await getJson('http://ratings:9080/'),
  }
})

server.on('upgrade', (request, socket) => {
  acceptWebSocket(request, socket, (text) => `${NAME} heard ${text}`)
})

createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify({ from: NAME, peer: request.socket.remoteAddress ?? '' })}\n`)
}).listen(9081, '::')
