// `npm test`: format, lint, then every test file, inside a world of its own; ends with `N passed, N failed`.
//
// Types were checked by the build that made this file. With arguments, only the test files whose path contains one
// of them are run: `npm test -- mesh/relay`.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { insideWorld, runInWorld, settleWorld, whyNoWorld } from '../demo/pods/world.ts'

const REPORT = 'build/test.tap'

process.exitCode = await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<number> {
  if (insideWorld()) return await runTests(words)
  const lint = words.length === 0 ? [step('biome', ['check', '.']), step('eslint', ['.'])] : []
  rmSync(REPORT, { force: true })
  const status = await runWhereItCan(words)
  const { passed, failed } = count()
  const broken = lint.filter((ok) => !ok).length + (status !== 0 && failed === 0 ? 1 : 0)
  process.stdout.write(`\n${passed} passed, ${failed + broken} failed\n`)
  return failed + broken > 0 || passed === 0 ? 1 : 0
}

async function runWhereItCan(words: readonly string[]): Promise<number> {
  const why = whyNoWorld()
  if (why === undefined) return await runInWorld('build/test/run.js', words)
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
    '--jobs=2',
    '--timeout=180',
    `--output-file=${REPORT}`,
    '--disable-coverage',
  ]
  return step('tap', [...flags, ...files]) ? 0 : 1
}

function step(tool: string, args: readonly string[]): boolean {
  const done = spawnSync(`node_modules/.bin/${tool}`, args, { stdio: 'inherit' })
  if (done.status !== 0) process.stdout.write(`${tool} failed\n`)
  return done.status === 0
}

/** The assertions of the report, by the summary that tap writes at its end. */
function count(): { passed: number; failed: number } {
  const report = existsSync(REPORT) ? readFileSync(REPORT, 'utf8') : ''
  const summary = /^# \{ total: .*\}$/m.exec(report)?.[0] ?? ''
  const figure = (name: string): number =>
    Number(new RegExp(`${name}: (\\d+)`).exec(summary)?.[1] ?? 0)
  return { passed: figure('pass'), failed: figure('fail') }
}
