// The fixed question and answer of the scenarios at L4, where not one byte may differ on the way.

import type { Socket } from 'node:net'
import { ANSWER, REQUEST } from '../protocol.ts'
import type { Talk } from './exchange.ts'

export class FixedTalk implements Talk {
  readonly bufferBytes = 1024
  received = 0

  ask(socket: Socket): void {
    this.received = 0
    socket.write(REQUEST)
  }

  take(bytes: Buffer): boolean {
    const from = this.received
    this.received += bytes.length
    const tooLong = this.received > ANSWER.length
    if (tooLong || ANSWER.compare(bytes, 0, bytes.length, from, this.received) !== 0) {
      throw new Error(`wrong bytes after ${from} of an answer`)
    }
    return this.received === ANSWER.length
  }
}
