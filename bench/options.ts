// The command line of the benchmark.

import { Command, InvalidArgumentError } from 'commander'
import { CATALOG, SCENARIO_NAMES, TARGET_NAMES } from './catalog.ts'
import { MODES, type Mode } from './mode.ts'
import type { Scenario } from './scenarios/scenario.ts'

export interface Options {
  /** Those that have one of the scenarios. */
  readonly modes: readonly Mode[]
  readonly rounds: number
  readonly seconds: number
  /** Names, in the order of the catalog. */
  readonly scenarios: readonly string[]
  /** Undefined: all that are here. */
  readonly targets: readonly string[] | undefined
  /** Undefined: each scenario's own number. */
  readonly connections: number | undefined
  /** A folder. */
  readonly out: string
  /** A folder for profiles; undefined for none. */
  readonly profile: string | undefined
  readonly install: boolean
  readonly check: boolean
}

interface Raw {
  readonly mode?: string[]
  readonly profile?: string
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
  const command = new Command('npm run bench --')
    .description('Measures Underpass side by side with other proxies, in fresh processes.')
    .option('--mode <names>', `of ${MODES.join(', ')} (all)`, names(MODES))
    .option('--rounds <n>', 'how often everything is measured', whole(1, 100), 5)
    .option('--seconds <n>', 'how long each load lasts, after a warm-up', seconds, 5)
    .option('--scenario <names>', `of ${SCENARIO_NAMES.join(', ')} (all)`, names(SCENARIO_NAMES))
    .option(
      '--target <names>',
      `of ${TARGET_NAMES.join(', ')} (installed ones)`,
      names(TARGET_NAMES),
    )
    .option('--connections <n>', 'instead of each scenario its own number', whole(1, 10_000))
    .option('--out <folder>', 'where the results go, as JSON and as tables', 'bench/results')
    .option(
      '--profile <folder>',
      'also write CPU profiles of Underpass, which cost time themselves',
    )
    .option(
      '--install',
      'as root on Debian: install HAProxy, nginx and nghttpd where missing',
      false,
    )
    .option('--check', 'exit with 1 if a goal is not met', false)
    .allowExcessArguments(false)
    .exitOverride()
  const raw = command.parse(words, { from: 'user' }).opts<Raw>()
  const { rounds, out, install, check, connections, target, profile } = raw
  const scenarios = SCENARIO_NAMES.filter((name) => raw.scenario?.includes(name) ?? true)
  const modes = MODES.filter((mode) => raw.mode?.includes(mode) ?? true)
  const used = modes.filter((mode) => scenariosAt(mode, scenarios).length > 0)
  if (used.length === 0) command.error(`error: no such scenario at ${modes.join(', ')}`)
  return {
    ...{ modes: used, rounds, seconds: raw.seconds, connections, out, profile, install, check },
    scenarios,
    targets: target && TARGET_NAMES.filter((name) => target.includes(name)),
  }
}

/** The scenarios of a mode that are among the names. */
export function scenariosAt(mode: Mode, names: readonly string[]): readonly Scenario[] {
  return CATALOG[mode].scenarios.filter(({ name }) => names.includes(name))
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
