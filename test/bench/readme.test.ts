// That README.md quotes the results as they are.

import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { findBlock, renderBlock } from '../../bench/readme.ts'
import type { Report } from '../../bench/report.ts'

const README = readFileSync('README.md', 'utf8')

for (const mode of ['l7', 'h2'] as const) {
  t.test(
    `readme: what it quotes of ${mode} is what was measured, and nothing without results`,
    async (t) => {
      const results = `bench/results/${mode}.json`
      const expected = existsSync(results)
        ? renderBlock(JSON.parse(readFileSync(results, 'utf8')) as Report)
        : undefined
      t.equal(findBlock(README, mode), expected, `if not: node build/bench/quote.js ${mode}`)
    },
  )
}

const REPORT: Report = {
  mode: 'l7',
  date: '2026-01-02T03:04:05.000Z',
  command: 'npm run bench -- --mode l7',
  rounds: 5,
  seconds: 3,
  warmup: 2,
  machine: {
    cpu: 'a CPU',
    cores: 2,
    memory: '4.0 GiB',
    system: 'Linux',
    kernel: '6.1',
    node: '24.0.0',
    versions: {},
    pinning: 'none',
    files: 20480,
  },
  sections: [],
  goals: [
    { text: 'a goal', limit: 3, least: true, measured: 4, outcome: 'met', note: '' },
    { text: 'other', limit: 1, least: false, measured: 2, outcome: 'not judged', note: 'noise' },
  ],
}

t.test('readme: a block has every goal, and is found again', async (t) => {
  const block = renderBlock(REPORT)
  t.match(block, '`npm run bench -- --mode l7` on a machine with 2 cores (2026-01-02)')
  t.match(block, '| a goal | >= 3 | 4 | met |')
  t.match(block, '| other | <= 1 | 2 | not judged: noise |')
  t.equal(findBlock(`before\n${block}\nafter`, 'l7'), block)
  t.equal(findBlock(block, 'l4'), undefined)
})
