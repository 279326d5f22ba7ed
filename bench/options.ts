// The command line of the benchmark.

import { Command, InvalidArgumentError } from 'commander'
import { SCENARIOS, TARGETS } from './catalog.ts'

export interface Options {
  readonly rounds: number
  readonly seconds: number
  /** Names, in the order of the catalog. */
  readonly scenarios: readonly string[]
  /** Undefined: all that are here. */
  readonly targets: readonly string[] | undefined
  /** Undefined: each scenario's own number. */
  readonly connections: number | undefined
  readonly out: string
  readonly install: boolean
  readonly check: boolean
}

interface Raw {
  readonly rounds: number
  readonly seconds: number
  readonly scenario?: string[]
  readonly target?: string[]
  readonly connections?: number
  readonly out: string
  readonly install: boolean
  readonly check: boolean
}

/** Reads the words after the program's name. Throws commander's error, its text already printed. */
export function parseOptions(words: readonly string[]): Options {
  const scenarioNames = SCENARIOS.map(({ name }) => name)
  const targetNames = TARGETS.map(({ name }) => name)
  const command = new Command('npm run bench --')
    .description('Measures Underpass at L4 side by side with other proxies, in fresh processes.')
    .option('--rounds <n>', 'how often everything is measured', whole(1, 100), 5)
    .option('--seconds <n>', 'how long each load lasts, after a warm-up', seconds, 5)
    .option('--scenario <names>', `of ${scenarioNames.join(', ')} (all)`, names(scenarioNames))
    .option('--target <names>', `of ${targetNames.join(', ')} (installed ones)`, names(targetNames))
    .option('--connections <n>', 'instead of each scenario its own number', whole(1, 10_000))
    .option('--out <file>', 'where the results go; a table goes beside it', 'bench/results/l4.json')
    .option('--install', 'as root on Debian: install HAProxy and nginx where missing', false)
    .option('--check', 'exit with 1 if a goal is not met', false)
    .allowExcessArguments(false)
    .exitOverride()
  const raw = command.parse(words, { from: 'user' }).opts<Raw>()
  const { rounds, out, install, check, connections, target } = raw
  return {
    ...{ rounds, seconds: raw.seconds, connections, out, install, check },
    scenarios: scenarioNames.filter((name) => raw.scenario?.includes(name) ?? true),
    targets: target && targetNames.filter((name) => target.includes(name)),
  }
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
}

function seconds(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value >= 0.1 && value <= 60) return value
  throw new InvalidArgumentError('It must be a number from 0.1 to 60.')
}

/** A list with commas; the option may also be repeated. */
function names(known: readonly string[]): (text: string, before?: string[]) => string[] {
  return (text, before = []) => {
    const chosen = text.split(',')
    const unknown = chosen.find((name) => !known.includes(name))
    if (unknown === undefined) return [...before, ...chosen]
    throw new InvalidArgumentError(`"${unknown}" is none of ${known.join(', ')}.`)
  }
}
