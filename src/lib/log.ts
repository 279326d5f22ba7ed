// The structured log: one JSON object a line on standard output, written by pino.
//
// Written beside the event loop, out of a bounded buffer: a reader of the log that stands still or goes away must not
// stop the traffic. What does not fit is counted and lost. Before the process ends the buffer is written out
// (`flushLog`). Callers ask `isLevelEnabled` before they build the fields of a debug line.

import { type Logger, pino } from 'pino'
import { LogOutput } from './log-output.ts'

export type Log = Logger
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Standard output. */
const STDOUT = 1

let dropped = 0

/** Lines that were lost because nobody read them. */
export function droppedLines(): number {
  return dropped
}

/** Writes out what is buffered, then calls `done`; a reader that does not read delays that by half a second. */
export function flushLog(log: Log, done: () => void): void {
  log.flush(done)
}

/** Standard output. One process has one: only lines that go through the same buffer cannot mix. */
export function openOutput(): LogOutput {
  return new LogOutput(STDOUT, (lines) => {
    dropped += lines
  })
}

/** A log at `level` whose lines all carry `fields`. */
export function openLog(
  level: LogLevel,
  fields: Readonly<Record<string, unknown>> = {},
  output: LogOutput = openOutput(),
): Log {
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
