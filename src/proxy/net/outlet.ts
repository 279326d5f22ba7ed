// What is written to a connection, in order, although the kernel may take only a part of it at a time.
//
// A connection has one pending write at most. The outlet keeps what comes meanwhile: a head and a piece of a body,
// never more, because whoever writes stops its source when it is told that the outlet is full. Bytes are not copied:
// they must stay as they are until the outlet is empty again.

import { type Connection, PENDING, WRITTEN } from './connection.ts'

export class Outlet {
  readonly #connection: Connection
  readonly #waiting: Buffer[] = []
  #isPending = false

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** True if everything written so far is with the kernel (or the connection is broken, which is told elsewhere). */
  get isEmpty(): boolean {
    return !this.#isPending
  }

  /** True if the kernel took it; false if it waits, and its source with it. */
  write(bytes: Buffer): boolean {
    if (this.#isPending) {
      this.#waiting.push(bytes)
      return false
    }
    const result = this.#connection.write(bytes)
    if (result === WRITTEN) return true
    this.#isPending = result === PENDING
    return false
  }

  /** The pending write is done. True if the outlet is empty. */
  drained(): boolean {
    this.#isPending = false
    for (;;) {
      const next = this.#waiting.shift()
      if (next === undefined) return true
      if (!this.write(next)) return false
    }
  }
}
