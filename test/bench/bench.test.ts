// The whole benchmark, short: that it measures what is installed, that any error fails it, and that nothing is left
// of it when it is interrupted.

import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processTree } from '../../bench/accounting.ts'
import { TARGETS } from '../../bench/catalog.ts'
import type { Report } from '../../bench/report.ts'
import { Child, type Finished } from '../../demo/pods/child.ts'

const MAIN = 'build/bench/main.js'
const FAKE = new URL('./fake-proxy.js', import.meta.url).pathname

t.setTimeout(170_000)

// The benchmark makes a world of its own: this test's world is shared with other tests.
const OWN_WORLD = { UNDERPASS_WORLD: '' }

async function bench(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return await new Child([process.execPath, MAIN, ...words], { ...OWN_WORLD, ...env }).finish()
}

/** An environment in which the fake is the first haproxy on the way. */
function fakeHaproxy(folder: string, fault: string): Record<string, string> {
  const file = join(folder, 'haproxy')
  writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${FAKE}" "$@"\n`)
  chmodSync(file, 0o755)
  return { PATH: `${folder}:${process.env['PATH'] ?? ''}`, FAULT: fault }
}

t.test('bench: every scenario on every target that is here', async (t) => {
  const out = join(t.testdir({}), 'l4.json')
  const load = ['--rounds', '1', '--seconds', '0.3', '--connections', '16']
  const done = await bench([...load, '--out', out])
  t.equal(done.code, 0, done.stderr)
  const report = JSON.parse(readFileSync(out, 'utf8')) as Report
  const here = TARGETS.filter((target) => target.missing() === undefined).map(({ name }) => name)
  const proxies = here.filter((name) => name !== 'direct')
  for (const { name, rows } of report.sections) {
    const memory = name === 'idle' || name === 'stopped'
    t.same(rows.map(({ target }) => target).sort(), [...(memory ? proxies : here)].sort(), name)
    for (const { target, metrics } of rows.filter((row) => row.target !== 'direct')) {
      const cost = (metrics['cpu'] ?? metrics['held'])?.median ?? 0
      t.ok(cost > 0, `${name} costs ${target} something`)
    }
  }
  t.equal(report.sections.length, 6)
  t.match(done.stdout, /Goals/)
  t.match(readFileSync(out.replace('.json', '.md'), 'utf8'), /^\| target \|/m)
})

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

t.test('bench: a wrong command line is status 2', async (t) => {
  const done = await bench(['--target', 'envoy'])
  t.equal(done.code, 2)
  t.match(done.stderr, /"envoy" is none of/)
})

t.test('bench: nothing is left of an interrupted run', async (t) => {
  const out = join(t.testdir({}), 'l4.json')
  const words = ['--rounds', '50', '--scenario', 'small-raw', '--target', 'direct']
  const load = ['--seconds', '0.3', '--connections', '4', '--out', out]
  const child = new Child([process.execPath, MAIN, ...words, ...load], OWN_WORLD)
  t.teardown(async () => await child.stop('SIGKILL'))
  await child.prints(/round 1 of 50/)
  const family = processTree(child.pid)
  child.process.kill('SIGINT')
  t.equal((await child.exited).code, 130, child.stderr)
  t.same(
    family.filter((pid) => existsSync(`/proc/${pid}`)),
    [],
  )
  t.notOk(existsSync(out))
})
