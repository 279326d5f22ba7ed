// Stands in for haproxy in a test: takes the same words, forwards, and breaks in the way that FAULT says.
//
// none: forwards every byte, without any backpressure towards the backend. reset: resets the client after its first answer. close: closes in good order after
// it. short: withholds the last byte and closes. corrupt: turns one bit of every piece that the backend sends.

import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'

const words = process.argv.slice(2)
if (words[0] === '-v') {
  process.stdout.write('HAProxy version 0.0-fake\n')
} else {
  const config = readFileSync(words.at(-1) ?? '', 'utf8')
  const port = Number(/bind 127\.0\.0\.1:(\d+)/.exec(config)?.[1])
  const backend = Number(/server backend 127\.0\.0\.1:(\d+)/.exec(config)?.[1])
  createServer((client) => {
    const server = connect(backend, '127.0.0.1')
    client.on('error', () => server.destroy())
    server.on('error', () => client.destroy())
    client.pipe(server)
    server.on('end', () => client.end())
    server.on('data', (bytes: Buffer) => {
      pass(bytes, client, process.env['FAULT'] ?? 'none')
    })
  }).listen(port, '127.0.0.1')
}

function pass(bytes: Buffer, client: Socket, fault: string): void {
  switch (fault) {
    case 'corrupt':
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      client.write(bytes)
      return
    case 'short':
      client.end(bytes.subarray(0, -1))
      return
    case 'close':
      client.end(bytes)
      return
    case 'reset':
      client.write(bytes, () => client.resetAndDestroy())
      return
    default:
      client.write(bytes)
  }
}
