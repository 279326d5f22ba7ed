// A log whose lines a test can read.

import { pino } from 'pino'
import type { Log } from '../../src/lib/log.ts'

export interface LogLines {
  readonly log: Log
  readonly lines: Record<string, unknown>[]
}

export function logLines(level = 'debug'): LogLines {
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as Record<string, unknown>)
  }
  const options = {
    level,
    base: {},
    messageKey: 'message',
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return { log: pino(options, { write }), lines }
}
