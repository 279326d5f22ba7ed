// The scripted tour: one step after the other, a verdict a line, and whether all of it was ok.
//
// A step that throws has failed, with what it threw; the next one is tried all the same. What the steps do is in
// the files beside this one.

import type { Paint } from './paint.ts'
import type { Shop } from './shop.ts'

export interface Verdict {
  readonly isOk: boolean
  /** What was seen, with its numbers. */
  readonly observed: string
  /** What is better seen in lines of its own. */
  readonly lines?: readonly string[]
}

export interface Step {
  readonly name: string
  run(shop: Shop): Promise<Verdict>
}

const STEP_LIMIT = 40_000

/** True if every step was ok. */
export async function runTour(
  shop: Shop,
  steps: readonly Step[],
  paint: Paint,
  print: (line: string) => void,
): Promise<boolean> {
  const width = Math.max(...steps.map(({ name }) => name.length))
  let failed = 0
  for (const step of steps) {
    const { isOk, observed, lines = [] } = await attempt(step, shop)
    if (!isOk) failed++
    const word = isOk ? paint.green('ok    ') : paint.red('FAILED')
    print(`${word}  ${paint.bold(step.name.padEnd(width))}  ${observed}`)
    for (const line of lines) print(`${' '.repeat(width + 10)}${paint.cyan(line)}`)
  }
  print('')
  const summary = `${steps.length - failed} ok, ${failed} failed`
  print(failed === 0 ? paint.green(summary) : paint.red(summary))
  return failed === 0
}

async function attempt(step: Step, shop: Shop): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => {
      resolve({ isOk: false, observed: `not done within ${STEP_LIMIT / 1000} s` })
    }, STEP_LIMIT)
  })
  const verdict = step.run(shop).catch((error: unknown) => ({
    isOk: false,
    observed: (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, ' / '),
  }))
  const first = await Promise.race([verdict, late])
  clearTimeout(timer)
  return first
}
