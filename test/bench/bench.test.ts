// The whole benchmark, short: that it measures what is installed, and that nothing is left of it when it is
// interrupted.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processTree } from '../../bench/accounting.ts'
import { ALONE, bench, hereAt, readReport, startBench } from './running.ts'

t.setTimeout(170_000)

t.test('bench: every scenario at L4 on every target that is here', async (t) => {
  const out = t.testdir({})
  const load = ['--mode', 'l4', '--rounds', '1', '--seconds', '0.3', '--connections', '16']
  const done = await bench([...load, '--out', out])
  t.equal(done.code, 0, done.stderr)
  const report = readReport(out, 'l4')
  const here = hereAt('l4')
  const proxies = here.filter((name) => !ALONE.includes(name))
  for (const { name, rows } of report.sections) {
    const memory = name === 'idle' || name === 'stopped'
    t.same(rows.map(({ target }) => target).sort(), [...(memory ? proxies : here)].sort(), name)
    for (const { target, metrics } of rows.filter((row) => !ALONE.includes(row.target))) {
      const cost = (metrics['cpu'] ?? metrics['held'])?.median ?? 0
      t.ok(cost > 0, `${name} costs ${target} something`)
    }
  }
  t.equal(report.sections.length, 6)
  t.match(done.stdout, /Goals/)
  t.match(readFileSync(join(out, 'l4.md'), 'utf8'), /^\| target \|/m)
  t.notOk(existsSync(join(out, 'l7.json')))
})

t.test('bench: every scenario at L7 on every target that is here', async (t) => {
  const out = t.testdir({})
  const here = hereAt('l7')
  const load = ['--mode', 'l7', '--rounds', '1', '--seconds', '0.3', '--connections', '16']
  const done = await bench([...load, '--target', here.join(','), '--out', out])
  t.equal(done.code, 0, done.stderr)
  const { sections, goals } = readReport(out, 'l7')
  const names = ['small', 'small-raw', 'bulk', 'latency']
  const strategies = ['strategies', 'strategies-inbound']
  const parsers = ['parser-api', 'parser-browser', 'parser-fields']
  t.same(
    sections.map(({ name }) => name),
    [...names, ...strategies, 'workers', ...parsers],
  )
  for (const { name, rows } of sections.filter((section) => strategies.includes(section.name))) {
    const own = ['every strategy', 'no strategy']
    const peers = here.filter((target) => !ALONE.includes(target) && target !== 'underpass')
    t.same(rows.map(({ target }) => target).sort(), [...own, ...peers].sort(), name)
    t.ok(
      rows.every(({ metrics }) => (metrics['cpu']?.median ?? 0) > 0),
      name,
    )
  }
  for (const { name, rows } of sections.filter((section) => names.includes(section.name))) {
    t.same(rows.map(({ target }) => target).sort(), [...here].sort(), name)
    const key = name === 'latency' ? 'p50-added' : 'cpu'
    for (const { target, metrics } of rows) {
      t.equal(metrics[key] === undefined, ALONE.includes(target), `${key} of ${target} in ${name}`)
      t.ok((metrics['rate']?.median ?? 0) > 0, `${name} goes through ${target}`)
    }
  }
  const workers = sections.find(({ name }) => name === 'workers')?.rows ?? []
  t.same(workers.map(({ target }) => target).sort(), ['1 worker', '2 workers', 'direct'])
  const parsing = goals.filter(({ text }) => text.startsWith('parsing'))
  t.equal(parsing.length, 3)
  t.ok(
    parsing.every(({ measured = 0 }) => measured > 1),
    'our parser is the faster one',
  )
})

t.test('bench: a scenario that the mode does not have is status 2', async (t) => {
  const done = await bench(['--mode', 'l4', '--scenario', 'latency'])
  t.equal(done.code, 2)
  t.match(done.stderr, 'no such scenario at l4')
})

t.test('bench: a wrong command line is status 2', async (t) => {
  const done = await bench(['--target', 'envoy'])
  t.equal(done.code, 2)
  t.match(done.stderr, /"envoy" is none of/)
})

t.test('bench: nothing is left of an interrupted run', async (t) => {
  const out = t.testdir({})
  const words = ['--mode', 'l4', '--rounds', '50', '--scenario', 'small-raw', '--target', 'direct']
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
  t.notOk(existsSync(join(out, 'l4.json')))
})
