// That any error of a proxy fails the whole benchmark, shown with a stand-in that breaks in one way at a time.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Report } from '../../bench/report.ts'
import { bench, fakeHaproxy } from './running.ts'

t.setTimeout(170_000)

t.test(
  'bench: a proxy that forwards as it should passes, and an unmet goal fails the check',
  async (t) => {
    const folder = t.testdir({})
    const out = join(folder, 'l4.json')
    const load = ['--rounds', '1', '--seconds', '0.2', '--connections', '4', '--target', 'haproxy']
    const words = [...load, '--scenario', 'small-raw', '--check', '--out', out]
    const done = await bench(words, fakeHaproxy(folder, 'none'))
    t.equal(done.code, 1)
    t.ok(existsSync(out), 'the results are written all the same')
    t.match(done.stdout, /not measured +not met/)
  },
)

t.test('bench: what a proxy without backpressure keeps for a stopped reader is seen', async (t) => {
  const folder = t.testdir({})
  const out = join(folder, 'l4.json')
  const load = ['--rounds', '1', '--seconds', '0.5', '--connections', '2', '--target', 'haproxy']
  const words = [...load, '--scenario', 'stopped', '--out', out]
  const done = await bench(words, fakeHaproxy(folder, 'none'))
  t.equal(done.code, 0, done.stderr)
  const report = JSON.parse(readFileSync(out, 'utf8')) as Report
  const growth = report.sections[0]?.rows[0]?.metrics['growth']?.median ?? 0
  t.ok(growth > 5000, `${growth} kB a connection`)
})

const FAULTS: readonly (readonly [scenario: string, fault: string, reason: RegExp])[] = [
  ['small', 'corrupt', /"mismatches":[1-9]/],
  ['small', 'close', /"lost":[1-9]/],
  ['small-raw', 'reset', /closed after|ECONNRESET/],
  ['small-raw', 'corrupt', /wrong bytes/],
  ['connections', 'short', /closed after/],
  ['bulk', 'corrupt', /wrong bytes/],
  ['idle', 'close', /closed/],
  ['stopped', 'reset', /closed early|ECONNRESET/],
]

for (const [scenario, fault, reason] of FAULTS) {
  t.test(`bench: ${scenario} fails on a proxy with the fault "${fault}"`, async (t) => {
    const folder = t.testdir({})
    const out = join(folder, 'l4.json')
    const load = ['--rounds', '1', '--seconds', '0.2', '--connections', '4', '--target', 'haproxy']
    const words = [...load, '--scenario', scenario, '--out', out]
    const done = await bench(words, fakeHaproxy(folder, fault))
    t.equal(done.code, 1)
    t.match(done.stderr, `round 1 of 1, ${scenario}, haproxy:`)
    t.match(done.stderr, reason)
    t.notOk(existsSync(out), 'no results of a failed run')
  })
}
