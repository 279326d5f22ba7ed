// `npm run simulate` as a process: what it prints, writes and ends with.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { HELP } from '../../../bench/simulate/options.ts'

function simulate(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const program = ['build/bench/simulate/main.js', ...words]
  const { status, stdout, stderr } = spawnSync(process.execPath, program, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

t.test('command: help is printed, and everything wrong with a line', async (t) => {
  t.match(simulate('--help'), { status: 0, stdout: HELP })
  const { status, stdout, stderr } = simulate('--seed', 'x', 'now')
  t.equal(status, 2)
  t.equal(stdout, '')
  t.equal(stderr.trimEnd().split('\n').length, 2)
})

t.test('command: it prints and writes; with --check it writes nothing', async (t) => {
  const folder = join(t.testdir(), 'made')
  const words = ['--seconds', '24', '--scenario', 'rolling-restart', '--out', folder]
  const checked = simulate(...words, '--check')
  t.equal(checked.status, 0)
  t.notOk(existsSync(folder))
  const done = simulate(...words)
  t.equal(done.status, 0)
  t.equal(done.stdout, checked.stdout, 'another process prints the same')
  t.match(done.stdout, '2 of 2 verdicts are met')
  t.same(readdirSync(folder).sort(), [
    'simulation-rolling-restart.svg',
    'simulation.json',
    'simulation.md',
  ])
})
