// Stands in for haproxy in a test: takes the same words, forwards, and breaks in the way that FAULT says.
//
// none: forwards every byte, without any backpressure towards the backend. reset: resets the client after its first answer. close: closes in good order after
// it. short: withholds the last byte and closes. corrupt: turns one bit of every piece that the backend sends. spoil: the same
// with every long piece that the client sends. twice: sends every piece of the backend's two
// times. stall: holds everything back for the first 0.3 s of every second.

import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'

/** Longer than any head of a request. */
const LONG = 1024
const STALL_MS = 300

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
    if (process.env['FAULT'] === 'spoil') {
      // Heard before the pipe hears it, which passes the same memory on.
      client.on('data', (bytes: Buffer) => {
        if (bytes.length > LONG) flip(bytes)
      })
    }
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
      flip(bytes)
      client.write(bytes)
      return
    case 'twice':
      client.write(bytes)
      client.write(bytes)
      return
    case 'stall':
      // Timers of one deadline keep their order.
      setTimeout(() => client.write(bytes), Math.max(0, STALL_MS - (Date.now() % 1000)))
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

function flip(bytes: Buffer): void {
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
}
