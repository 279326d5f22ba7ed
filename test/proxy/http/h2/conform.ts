// What a connection is fed, and what it must say to that: each case once as it stands, and then cut at every byte.
//
// What is fed in one step comes in one read, so a case that ends the connection has what precedes that in steps of its
// own: a read is acted on when all of it was found sound.

import type t from 'tap'
import { H2Rig, type RigOptions } from '../../../support/h2-rig.ts'

export interface Case {
  /** The section of RFC 9113 (or as it says), and what is done. */
  readonly name: string
  readonly send: readonly Buffer[]
  /** What is sent but for WINDOW_UPDATE (support/h2-wire.ts, `told`). */
  readonly told: readonly string[]
  /** What the application was told (support/h2-app.ts), if that matters. */
  readonly app?: readonly string[]
  readonly refused?: readonly string[]
  readonly options?: RigOptions
  /** Runs before anything is fed. */
  readonly before?: (rig: H2Rig) => void
}

interface Outcome {
  readonly told: string[]
  readonly app: string[]
  readonly failures: string[]
  readonly limited: string[]
  readonly refused: string[]
}

/** More positions than that are tried in part. */
const MOST_CUTS = 400

/** The answer to a GET on that stream. */
export function answered(stream: number): string[] {
  return [`HEADERS ${stream} 200`, `DATA ${stream} "ok" END`]
}

export function conform(tap: typeof t, cases: readonly Case[], common: RigOptions = {}): void {
  for (const one of cases) {
    tap.test(`http2: RFC 9113 section ${one.name}`, async (t) => {
      const options = { ...common, ...one.options }
      const whole = run(one, options, one.send)
      t.strictSame(whole.told, one.told, 'says what it must')
      if (one.app !== undefined) t.strictSame(whole.app, one.app, 'and this is what is acted on')
      if (one.refused !== undefined) t.strictSame(whole.refused, one.refused, 'for that reason')
      const goaway = one.told.find((line) => line.startsWith('GOAWAY'))
      const code = goaway?.split(' ')[2]
      const failures = code === undefined || code === 'NO_ERROR' ? [] : [code]
      t.strictSame(whole.failures, failures, 'the owner hears of a failure, and of no other')
      t.strictSame(whole.limited, [], 'no limit is reached')
      const wrong = wrongCuts(one, options, JSON.stringify(ordered(whole)))
      t.strictSame(wrong, [], 'cutting changes nothing')
    })
  }
}

function run(one: Case, options: RigOptions, pieces: readonly Buffer[], inTurns = true): Outcome {
  const rig = new H2Rig(options)
  one.before?.(rig)
  for (const piece of pieces) {
    if (inTurns) rig.feed(piece)
    else rig.give(piece)
  }
  rig.turn()
  const { failures, limited, refused } = rig
  return { told: rig.told(), app: rig.app.take(), failures, limited, refused }
}

/** The cuts, if any, after which it says anything else. */
function wrongCuts(one: Case, options: RigOptions, expected: string): string[] {
  const wrong: string[] = []
  const attempt = (name: string, pieces: readonly Buffer[], inTurns: boolean): void => {
    const actual = JSON.stringify(ordered(run(one, options, pieces, inTurns)))
    if (actual !== expected && wrong.length < 2) wrong.push(`${name}: ${actual}`)
  }
  for (const [i, step] of one.send.entries()) {
    for (const at of cuts(step.length)) {
      const halves = [step.subarray(0, at), step.subarray(at)]
      const pieces = [...one.send.slice(0, i), ...halves, ...one.send.slice(i + 1)]
      attempt(`step ${i} at ${at}`, pieces, at % 2 === 0)
    }
  }
  const all = Buffer.concat(one.send)
  if (all.length <= 2 * MOST_CUTS) {
    const bytes = Array.from(all, (_, i) => all.subarray(i, i + 1))
    attempt('byte by byte', bytes, true)
  }
  return wrong
}

function cuts(length: number): number[] {
  const step = Math.max(1, Math.ceil(length / MOST_CUTS))
  const found: number[] = []
  for (let at = 1; at < length; at += at < 40 || at > length - 40 ? 1 : step) found.push(at)
  return found
}

/**
 * In the order of streams, for between streams the order follows the reads. Of a body whose stream was reset it follows
 * the reads as well how much was given before.
 */
function ordered(outcome: Outcome): Outcome {
  const stream = (line: string): number => {
    const found = /^(?:[A-Z_]+ )?(\d+) /.exec(`${line} `)
    return found === null || line.startsWith('GOAWAY') ? 0 : Number(found[1])
  }
  const sorted = (lines: readonly string[]): string[] =>
    [...lines].sort((one, other) => stream(one) - stream(other))
  const wasReset = (line: string): boolean => {
    const [id = ''] = line.split(' ')
    return line.includes(' body ') && outcome.app.some((other) => other.startsWith(`${id} reset `))
  }
  const app = outcome.app.filter((line) => !wasReset(line))
  return { ...outcome, told: sorted(outcome.told), app: sorted(app) }
}
