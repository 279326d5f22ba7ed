// The backend of the small scenarios: one fixed answer for every request, however the request's bytes arrive.

import type { Socket } from 'node:net'
import { ANSWER } from '../protocol.ts'
import { serve } from './server.ts'

const END = Buffer.from('\r\n\r\n')

/** Counts the ends of request heads in a stream that may be cut anywhere. */
class Heads {
  #matched = 0

  count(chunk: Buffer): number {
    // Nearly always a chunk is one whole request, and its last four bytes say so.
    if (this.#matched === 0 && chunk.indexOf(END) === chunk.length - END.length) return 1
    let heads = 0
    for (const byte of chunk) {
      if (byte === END[this.#matched]) this.#matched++
      else this.#matched = byte === END[0] ? 1 : 0
      if (this.#matched < END.length) continue
      heads++
      this.#matched = 0
    }
    return heads
  }
}

serve((socket: Socket) => {
  const heads = new Heads()
  socket.on('data', (chunk: Buffer) => {
    for (let left = heads.count(chunk); left > 0; left--) socket.write(ANSWER)
  })
})
