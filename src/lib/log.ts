// The structured log: one JSON object a line on standard output, written by pino.
//
// Written beside the event loop, out of a bounded buffer: a reader of the log that stands still or goes away must not
// stop the traffic. What does not fit is counted and lost. Before the process ends the buffer is written out
// (`flushLog`). Callers ask `isLevelEnabled` before they build the fields of a debug line.

import { destination, type Logger, pino } from 'pino'

export type Log = Logger
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Characters that wait for a slow reader at most. */
const MAX_BUFFERED = 4_194_304
/** How long the end of the process waits for one. */
const FLUSH_LIMIT = 500

let dropped = 0

/** Lines that were lost because nobody read them. */
export function droppedLines(): number {
  return dropped
}

/** Writes out what is buffered, then calls `done`; a reader that does not read delays that by half a second. */
export function flushLog(log: Log, done: () => void): void {
  let called = false
  const once = (): void => {
    if (!called) done()
    called = true
  }
  setTimeout(once, FLUSH_LIMIT)
  log.flush(once)
}

/** A log at `level` whose lines all carry `fields`. */
export function openLog(level: LogLevel, fields: Readonly<Record<string, unknown>> = {}): Log {
  const output = destination({ dest: 1, sync: false, maxLength: MAX_BUFFERED })
  output.on('drop', () => {
    dropped += 1
  })
  // A reader that is gone is no reason to end: the lines are lost, the traffic goes on.
  output.on('error', () => {
    dropped += 1
  })
  return pino(
    {
      level,
      base: fields,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  )
}
