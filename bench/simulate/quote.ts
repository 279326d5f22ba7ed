// Puts what README.md quotes of the simulation between its markers: `node build/bench/simulate/quote.js`.

import { readFileSync, writeFileSync } from 'node:fs'
import { findBlock, MARKERS, renderBlock } from './readme.ts'
import type { Report } from './report.ts'

const README = 'README.md'

function quote(): void {
  const text = readFileSync(README, 'utf8')
  const old = findBlock(text)
  if (old === undefined) throw new Error(`${README} lacks ${MARKERS.join(' and ')}`)
  const report = JSON.parse(readFileSync('bench/results/simulation.json', 'utf8')) as Report
  writeFileSync(
    README,
    text.replace(old, () => renderBlock(report)),
  )
}

quote()
