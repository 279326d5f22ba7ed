// A client's connection that the proxy carries, whatever it is carried as: what whoever looks after all of them asks
// of each.

import type { ErrorCode } from '../../lib/errors.ts'

export interface Carried {
  /** Once a second: ends what has been idle for too long, notices peers that are gone. `now` is the clock's. */
  sweep(now: number): void
  /** No new work is taken: ends as soon as that loses nothing. */
  drain(): void
  /** Ends it with a reset to both sides. */
  abort(error: ErrorCode): void
}
