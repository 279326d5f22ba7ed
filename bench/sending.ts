// Sends the pattern as fast as the other side takes it, one chunk in the socket at a time.
//
// The kernel's send buffer keeps the pipe full. The next chunk waits for the next turn of the event loop, so that
// one fast connection does not starve the others of the same process.

import type { Socket } from 'node:net'
import { patternAt } from './protocol.ts'

/** `accepted` hears of every chunk that the kernel took whole, and `done` comes after the last. */
export function sendPattern(
  socket: Socket,
  length: number,
  accepted: (bytes: number) => void,
  done: () => void = () => undefined,
): void {
  let position = 0
  const send = (): void => {
    if (position >= length) {
      done()
      return
    }
    if (socket.destroyed) return
    const chunk = patternAt(position, length - position)
    position += chunk.length
    socket.write(chunk, (error) => {
      if (error != null) return
      accepted(chunk.length)
      setImmediate(send)
    })
  }
  send()
}
