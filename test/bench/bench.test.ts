// The whole benchmark, short: that it measures what is installed, and that nothing is left of it when it is
// interrupted.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processTree } from '../../bench/accounting.ts'
import { TARGETS } from '../../bench/catalog.ts'
import type { Report } from '../../bench/report.ts'
import { bench, startBench } from './running.ts'

t.setTimeout(170_000)

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

t.test('bench: a wrong command line is status 2', async (t) => {
  const done = await bench(['--target', 'envoy'])
  t.equal(done.code, 2)
  t.match(done.stderr, /"envoy" is none of/)
})

t.test('bench: nothing is left of an interrupted run', async (t) => {
  const out = join(t.testdir({}), 'l4.json')
  const words = ['--rounds', '50', '--scenario', 'small-raw', '--target', 'direct']
  const load = ['--seconds', '0.3', '--connections', '4', '--out', out]
  const child = startBench([...words, ...load])
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
