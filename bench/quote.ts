// Puts what README.md quotes of a mode's results between its markers: `node build/bench/quote.js l7`.

import { readFileSync, writeFileSync } from 'node:fs'
import { MODES } from './mode.ts'
import { findBlock, markers, renderBlock } from './readme.ts'
import type { Report } from './report.ts'

const README = 'README.md'

function quote(word: string | undefined): void {
  const mode = MODES.find((name) => name === word)
  if (mode === undefined) throw new Error(`usage: ${MODES.join(' or ')}`)
  const text = readFileSync(README, 'utf8')
  const old = findBlock(text, mode)
  if (old === undefined) throw new Error(`${README} lacks ${markers(mode).join(' and ')}`)
  const report = JSON.parse(readFileSync(`bench/results/${mode}.json`, 'utf8')) as Report
  writeFileSync(
    README,
    text.replace(old, () => renderBlock(report)),
  )
}

quote(process.argv[2])
