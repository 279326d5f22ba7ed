// The structured log: one JSON object a line on standard output, written by pino.
//
// Synchronous on purpose: a line that a crash loses is the line somebody needs. So nothing on a busy path logs
// above `debug`, and callers ask `isLevelEnabled` before they build the fields of a debug line.

import { destination, type Logger, pino } from 'pino'

export type Log = Logger
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A log at `level` whose lines all carry `fields`. */
export function openLog(level: LogLevel, fields: Readonly<Record<string, unknown>> = {}): Log {
  return pino(
    {
      level,
      base: fields,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ dest: 1, sync: true }),
  )
}
