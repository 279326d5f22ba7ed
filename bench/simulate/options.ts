// The command line of the simulation: read as a whole, so that everything wrong with it is told at once.

import { parseArgs } from 'node:util'
import { Problems } from '../../src/lib/problems.ts'
import { SCENARIOS } from './catalog.ts'

export interface Options {
  readonly seed: number
  /** Of virtual time, for each variant. */
  readonly seconds: number
  /** Names, in the order of the catalog. */
  readonly scenarios: readonly string[]
  /** A folder. */
  readonly out: string
  readonly check: boolean
}

const NAMES: readonly string[] = SCENARIOS.map(({ name }) => name)
const DEFAULT_SEED = 1
const DEFAULT_SECONDS = 60
const MOST_SEED = 4_294_967_295
/** With less there is no time for a breaker to open, close again and be seen to. */
const LEAST_SECONDS = 24
const MOST_SECONDS = 600
const DEFAULT_OUT = 'bench/results'

export const HELP: string = `npm run simulate -- [options]

Runs the mesh's own policies in virtual time against applications that fail, slow down, stand still and restart;
prints what becomes of their clients, and writes it as a table, as pictures and as JSON.

  --seed N           what chance begins with, 0 to ${MOST_SEED} (default ${DEFAULT_SEED}); the same seed gives the same output
  --seconds N        of virtual time for each run, ${LEAST_SECONDS} to ${MOST_SECONDS} (default ${DEFAULT_SECONDS})
  --scenario NAMES   with commas, or repeated, of (default all):
                     ${NAMES.join(', ')}
  --out FOLDER       where the results go (default ${DEFAULT_OUT})
  --check            write no files, and exit with 1 if a verdict is not met
  --help             this text
`

const KNOWN = {
  seed: { type: 'string' },
  seconds: { type: 'string' },
  scenario: { type: 'string' },
  out: { type: 'string' },
  check: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Name = keyof typeof KNOWN

/** The options, undefined when help is asked for, or everything that is wrong with the words. */
export function parseOptions(words: readonly string[]): Options | Problems | undefined {
  const problems = new Problems()
  const given = gather(words, problems)
  if (given.has('help')) return undefined
  const single = (name: Name): string | undefined => {
    const values = given.get(name) ?? []
    if (values.length > 1) problems.add(`--${name}`, 'is given more than once')
    return values.at(-1)
  }
  const options = {
    seed: whole('--seed', single('seed'), 0, MOST_SEED, DEFAULT_SEED, problems),
    seconds: whole(
      ...(['--seconds', single('seconds'), LEAST_SECONDS, MOST_SECONDS] as const),
      ...([DEFAULT_SECONDS, problems] as const),
    ),
    scenarios: chosen(given.get('scenario'), problems),
    out: single('out') ?? DEFAULT_OUT,
    check: given.has('check'),
  }
  if (options.out === '') problems.add('--out', 'must be a folder', '')
  return problems.any ? problems : options
}

function gather(words: readonly string[], problems: Problems): Map<Name, string[]> {
  const given = new Map<Name, string[]>()
  const { tokens } = parseArgs({
    ...{ args: [...words], options: KNOWN, strict: false, allowPositionals: true, tokens: true },
  })
  for (const token of tokens) {
    if (token.kind === 'positional') problems.add(token.value, 'is not an option')
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (!isName(name)) problems.add(rawName, 'is not a known option')
    else if (KNOWN[name].type === 'string' && value === undefined) {
      problems.add(rawName, 'needs a value')
    } else if (KNOWN[name].type === 'boolean' && value !== undefined) {
      problems.add(rawName, 'takes no value', value)
    } else given.set(name, [...(given.get(name) ?? []), value ?? ''])
  }
  return given
}

function isName(name: string): name is Name {
  return Object.hasOwn(KNOWN, name)
}

function whole(
  path: string,
  text: string | undefined,
  least: number,
  most: number,
  fallback: number,
  problems: Problems,
): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  problems.add(path, `must be a whole number from ${least} to ${most}`, text)
  return fallback
}

function chosen(lists: readonly string[] | undefined, problems: Problems): readonly string[] {
  if (lists === undefined) return NAMES
  const names = lists.flatMap((list) => list.split(','))
  for (const name of names) {
    if (!NAMES.includes(name)) problems.add('--scenario', `must be of ${NAMES.join(', ')}`, name)
  }
  return NAMES.filter((name) => names.includes(name))
}
