// `npm run simulate`: runs the scenarios, prints what was found, writes it.
//
// Exit status: 0 done, 1 a verdict that is not met with --check, 2 a wrong command line.

import { mkdirSync, writeFileSync } from 'node:fs'
import { Problems } from '../../src/lib/problems.ts'
import { HELP, type Options, parseOptions } from './options.ts'
import { conclude, simulate } from './run.ts'
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
  return conclude(report, options, (file, text) => {
    mkdirSync(options.out, { recursive: true })
    writeFileSync(file, text)
    say(`written: ${file}`)
  })
}

function say(text: string): void {
  process.stderr.write(`simulate: ${text}\n`)
}
