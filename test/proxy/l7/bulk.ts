// Writing more than a connection takes, to see who is held back.

import type { Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** More than all buffers of the kernel on the way together. */
export const MOST = 100_000_000
/** A writer that got nothing away for so long is held back. */
const HELD_BACK_MS = 300

/** Writes it again and again until the other side stops taking it, or MOST bytes are through. Gives the bytes. */
export async function fill(socket: Socket, piece: string | Buffer): Promise<number> {
  for (let sent = 0; ; ) {
    if (sent >= MOST) return sent
    sent += piece.length
    if (socket.write(piece)) continue
    const before = socket.writableLength
    for (let waited = 0; socket.writableNeedDrain; waited += 10) {
      if (waited >= HELD_BACK_MS && socket.writableLength >= before) return sent
      await setTimeout(10)
    }
  }
}
