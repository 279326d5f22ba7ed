// How a process of the data plane ends: with its log written, and loudly where a defect ended it.

import { MeshError } from '../lib/errors.ts'
import { flushLog, type Log } from '../lib/log.ts'

/** Ends the process when the log is written; the resets of the last connections leave with this turn of the loop. */
export function end(log: Log, status: number): void {
  flushLog(log, () => process.exit(status))
}

/** A defect of ours: said as loudly as can be, and then the platform starts a clean process. */
export function crash(log: Log, plane: { abort(): unknown } | undefined, error: unknown): void {
  const known = MeshError.from(error)
  const stack = error instanceof Error ? error.stack : undefined
  log.error({ event: 'crash', error: known.code, stack, message: known.message })
  void Promise.resolve(plane?.abort()).finally(() => {
    end(log, 1)
  })
}
