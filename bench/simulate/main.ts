// `npm run simulate`: runs the scenarios, prints what was found, writes it.
//
// Exit status: 0 done, 1 a verdict that is not met with --check, 2 a wrong command line.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Problems } from '../../src/lib/problems.ts'
import { HELP, type Options, parseOptions } from './options.ts'
import { isMet } from './report.ts'
import { filesOf, simulate } from './run.ts'
import { renderText } from './table.ts'

process.exitCode = main(process.argv.slice(2))

function main(words: readonly string[]): number {
  const options = parseOptions(words)
  if (options === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  if (options instanceof Problems) {
    process.stderr.write(`${options.toString()}\n`)
    return 2
  }
  return run(options)
}

function run(options: Options): number {
  const report = simulate(options, say)
  process.stdout.write(renderText(report))
  if (options.check) return isMet(report) ? 0 : 1
  mkdirSync(options.out, { recursive: true })
  for (const [name, text] of filesOf(report)) writeFileSync(join(options.out, name), text)
  say(`written: ${join(options.out, 'simulation.md')} and what it shows`)
  return 0
}

function say(text: string): void {
  process.stderr.write(`simulate: ${text}\n`)
}
