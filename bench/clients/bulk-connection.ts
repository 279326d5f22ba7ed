// One connection to the bulk server: moves blocks of the pattern in either direction and checks every byte.

import { connect, type Socket } from 'node:net'
import {
  CHUNK_BYTES,
  COUNT_BYTES,
  decodeNumber,
  encodeOrder,
  matchesPattern,
  ORDERS,
} from '../protocol.ts'
import { sendPattern } from '../sending.ts'

export class BulkConnection {
  readonly #socket: Socket
  #take: (bytes: Buffer) => void = () => undefined
  #fail: (error: Error) => void = () => undefined
  #reading = true
  /** Rejects when the connection breaks or closes before `close` is called. */
  readonly failed: Promise<never> = new Promise((_, reject) => {
    this.#fail = reject
  })

  constructor(port: number) {
    this.failed.catch(() => undefined)
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(CHUNK_BYTES),
        callback: (size, buffer) => {
          this.#take((buffer as Buffer).subarray(0, size))
          return this.#reading
        },
      },
    })
    this.#socket.on('error', this.#fail)
    this.#socket.on('close', () => {
      this.#fail(new Error('the connection was closed early'))
    })
  }

  async download(bytes: number): Promise<void> {
    let position = 0
    const arrived = this.#until((chunk) => {
      if (position + chunk.length > bytes || !matchesPattern(chunk, position)) {
        throw new Error(`wrong bytes after ${position} of a download`)
      }
      position += chunk.length
      return position === bytes
    })
    this.#socket.write(encodeOrder(ORDERS.download, bytes))
    await arrived
  }

  async upload(bytes: number): Promise<void> {
    const counted = this.#count()
    this.#socket.write(encodeOrder(ORDERS.upload, bytes))
    sendPattern(this.#socket, bytes, () => undefined)
    const count = await counted
    if (count !== bytes) throw new Error(`${count} of ${bytes} bytes arrived`)
  }

  /** Makes the server stop reading, and sends without end; `accepted` hears what the kernel takes. */
  flood(accepted: (bytes: number) => void): void {
    this.#socket.write(encodeOrder(ORDERS.hold))
    sendPattern(this.#socket, Number.MAX_SAFE_INTEGER, accepted)
  }

  /** Makes the server send without end, and stops reading. */
  beFlooded(): void {
    this.#reading = false
    this.#socket.write(encodeOrder(ORDERS.flood))
  }

  /** What the server's floods got rid of so far. */
  async tally(): Promise<number> {
    const counted = this.#count()
    this.#socket.write(encodeOrder(ORDERS.tally))
    return await counted
  }

  async #count(): Promise<number> {
    let bytes = Buffer.alloc(0)
    await this.#until((chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      return bytes.length >= COUNT_BYTES
    })
    return decodeNumber(bytes)
  }

  /** Hands every chunk to `take` until it says that this was the last. */
  async #until(take: (chunk: Buffer) => boolean): Promise<void> {
    const complete = new Promise<void>((resolve, reject) => {
      this.#take = (chunk) => {
        try {
          if (take(chunk)) resolve()
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      }
    })
    await Promise.race([complete, this.failed])
  }
}
