// The backend of the bulk scenarios: follows the orders of protocol.ts, one after another on each connection.

import type { Socket } from 'node:net'
import { decodeNumber, encodeCount, matchesPattern, ORDER_BYTES, ORDERS } from '../protocol.ts'
import { sendPattern } from '../sending.ts'
import { serve } from './server.ts'

/** Bytes that the kernel took from floods, over all connections. */
let flooded = 0

class Session {
  readonly #socket: Socket
  #order: Buffer = Buffer.alloc(0)
  /** Bytes of the current upload: expected, and here already. */
  #expected = 0
  #taken = 0
  #held = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  take(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0 && !this.#held) {
      rest = this.#taken < this.#expected ? this.#upload(rest) : this.#read(rest)
    }
  }

  #read(chunk: Buffer): Buffer {
    const missing = ORDER_BYTES - this.#order.length
    this.#order = Buffer.concat([this.#order, chunk.subarray(0, missing)])
    if (this.#order.length === ORDER_BYTES) {
      const order = this.#order
      this.#order = Buffer.alloc(0)
      this.#follow(order)
    }
    return chunk.subarray(missing)
  }

  #follow(order: Buffer): void {
    const length = decodeNumber(order)
    switch (order[0]) {
      case ORDERS.download:
        sendPattern(this.#socket, length, () => undefined)
        return
      case ORDERS.upload:
        this.#expected = length
        this.#taken = 0
        return
      case ORDERS.hold:
        this.#held = true
        this.#socket.pause()
        return
      case ORDERS.flood:
        sendPattern(this.#socket, Number.MAX_SAFE_INTEGER, (bytes) => {
          flooded += bytes
        })
        return
      case ORDERS.tally:
        this.#socket.write(encodeCount(flooded))
        return
      default:
        this.#socket.destroy()
    }
  }

  #upload(chunk: Buffer): Buffer {
    const part = chunk.subarray(0, this.#expected - this.#taken)
    if (!matchesPattern(part, this.#taken)) {
      process.stderr.write(`wrong bytes after ${this.#taken} of an upload\n`)
      this.#socket.destroy()
      return Buffer.alloc(0)
    }
    this.#taken += part.length
    if (this.#taken === this.#expected) this.#socket.write(encodeCount(this.#taken))
    return chunk.subarray(part.length)
  }
}

serve((socket) => {
  const session = new Session(socket)
  socket.on('data', (chunk: Buffer) => {
    session.take(chunk)
  })
})
