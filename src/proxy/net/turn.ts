// What is to leave when the sockets of this turn of the event loop were served: one task for all connections.
//
// Frames of many streams then leave in one write for each connection. It is no matter of time, so no clock is asked,
// and a test that turns one sees what production does. Who is flushed, and what, is left to the connections; one that
// has nothing to say any more is flushed all the same.

/** Something whose bytes wait for the end of the turn. Adds itself once until it is flushed. */
export interface Flushed {
  flush(): void
}

export class Turn {
  readonly #run: () => void
  #added: Flushed[] = []
  #running: Flushed[] = []

  constructor() {
    this.#run = () => {
      this.#flush()
    }
  }

  add(connection: Flushed): void {
    if (this.#added.push(connection) === 1) setImmediate(this.#run)
  }

  /** What is added from here on belongs to the next turn. */
  #flush(): void {
    const running = this.#added
    this.#added = this.#running
    this.#running = running
    for (const connection of running) connection.flush()
    running.length = 0
  }
}
