// `npm test`: format, lint, then every test file, inside a world of its own; ends with `N passed, N failed`.
//
// What failed is printed with its reason, for a log is often all there is of a run. Types were checked by the build
// that made this file. With arguments, only the test files whose path contains one of them are run:
// `npm test -- mesh/relay`.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { insideWorld, runInWorld, settleWorld, whyNoWorld } from '../demo/pods/world.ts'
import { readReport, writeReport } from './support/report.ts'

const REPORT = 'build/test.tap'
const PLACE = 'build/.tap-place'

process.exitCode = await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<number> {
  if (insideWorld()) return await runTests(words)
  const lint =
    words.length === 0 ? [await step('biome', ['check', '.']), await step('eslint', ['.'])] : []
  rmSync(REPORT, { force: true })
  const status = await runWhereItCan(words)
  const report = readReport(existsSync(REPORT) ? readFileSync(REPORT, 'utf8') : '')
  const { passed } = report
  const failed = report.failures.length
  process.stdout.write(`\n${writeReport(report)}`)
  const broken = lint.filter((ok) => !ok).length + (status !== 0 && failed === 0 ? 1 : 0)
  process.stdout.write(`\n${passed} passed, ${failed + broken} failed\n`)
  return failed + broken > 0 || passed === 0 ? 1 : 0
}

async function runWhereItCan(words: readonly string[]): Promise<number> {
  const why = whyNoWorld()
  if (why === undefined) return await runInWorld('build/test/run.js', words)
  // Root can always make one, so for root a test that does not run is a test that fails.
  if (process.getuid?.() === 0) {
    process.stdout.write(`The namespace tests cannot run. ${why}\n`)
    return 1
  }
  process.stdout.write(`The namespace tests are skipped. ${why}\n`)
  return await runTests(words)
}

async function runTests(words: readonly string[]): Promise<number> {
  if (insideWorld()) {
    await settleWorld(() => {
      process.exit(1)
    })
  }
  const files = readdirSync('build/test', { recursive: true, encoding: 'utf8' })
    .map((file) => `build/test/${file}`)
    .filter((file) => file.endsWith('.test.js'))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort()
  mkdirSync('build', { recursive: true })
  const flags = [
    'run',
    // One file at a time: several judge by time and memory, and machines of two cores are common.
    '--jobs=1',
    '--timeout=180',
    `--output-file=${REPORT}`,
    '--disable-coverage',
    '--reporter=terse',
  ]
  forgetOtherPlace()
  return (await step('tap', [...flags, ...files])) ? 0 : 1
}

/** tap keeps absolute paths of its plugins in .tap; a world sees the project at another path than the machine does. */
function forgetOtherPlace(): void {
  const here = process.cwd()
  if (existsSync(PLACE) && readFileSync(PLACE, 'utf8') === here) return
  rmSync('.tap', { recursive: true, force: true })
  writeFileSync(PLACE, here)
}

/** Not synchronously: a world must hear at any time that whoever made it is gone. */
async function step(tool: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(`node_modules/.bin/${tool}`, args, { stdio: 'inherit' })
  const status = await new Promise<number | null>((resolve) => {
    child.once('error', () => {
      resolve(null)
    })
    child.once('exit', resolve)
  })
  if (status !== 0) process.stdout.write(`${tool} failed\n`)
  return status === 0
}
