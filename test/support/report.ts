// What a run of the tests came to: how many assertions held, which did not and why, and which files took longest.
// Read from the TAP that the runner writes; parsing is tap-parser's, and what is done about it is `npm test`'s.

import { Parser } from 'tap-parser'

/** Of a report: assertions that held, those that did not (with file and names), and the slowest files. */
export interface Report {
  readonly passed: number
  readonly failures: readonly Failure[]
  readonly slowest: readonly SlowFile[]
}

interface Failure {
  /** File, tests and assertion, outermost first. */
  readonly name: string
  /** What the runner knows of it, lines of at most 200 characters; '' where nothing. */
  readonly why: string
}

interface SlowFile {
  readonly file: string
  readonly seconds: number
}

/** One line of the report as tap-parser gives it, which leaves the type of its events open. */
interface Assertion {
  readonly ok: boolean
  readonly fullname: string
  /** What the runner says of it, by key. */
  readonly diag: Diagnosis
  readonly skip: boolean | string
  readonly todo: boolean | string
}

type Diagnosis = Readonly<Record<string, unknown>> | null

const SLOWEST = 8
const WHY_LINES = 24
const WHY_WIDTH = 200

export function readReport(text: string): Report {
  const failures: Failure[] = []
  let passed = 0
  for (const event of Parser.parse(text, { flat: true })) {
    if (event[0] !== 'assert') continue
    const { ok, fullname, diag, skip, todo } = event[1] as Assertion
    if (skip !== false || todo !== false) continue
    if (ok) passed++
    else failures.push({ name: fullname, why: explain(diag) })
  }
  return { passed, failures, slowest: slowestFiles(text) }
}

/** What a person, or a log that is cut off from its machine, needs of it. */
export function writeReport(report: Report): string {
  const slow = report.slowest.map(({ file, seconds }) => `${seconds.toFixed(0)} s ${file}`)
  const failed = report.failures.map(({ name, why }) => `FAILED ${name}\n${why}`)
  const times = slow.length === 0 ? '' : `slowest: ${slow.join(', ')}\n`
  return times + failed.join('\n')
}

function explain(diag: Diagnosis): string {
  if (diag === null) return ''
  const lines: string[] = []
  for (const [key, value] of Object.entries(diag)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    lines.push(...`${key}: ${text}`.trimEnd().split('\n'))
  }
  const cut = lines.slice(0, WHY_LINES).map((line) => `  ${line.slice(0, WHY_WIDTH)}\n`)
  return cut.join('') + (lines.length > WHY_LINES ? '  ...\n' : '')
}

function slowestFiles(text: string): SlowFile[] {
  const files = [
    ...text.matchAll(/^(?:not )?ok \d+ - build\/test\/(\S+)\.test\.js # time=([\d.]+)ms/gm),
  ]
  return files
    .map(([, file = '', ms = '0']) => ({ file, seconds: Number(ms) / 1000 }))
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, SLOWEST)
}
