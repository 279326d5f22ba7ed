// What of ours stands in the kernel, as data: our chains, their rules, and the jumps to them from anywhere else.
//
// It is read from what iptables-save prints, compared with what is wanted, and turned into the one
// iptables-restore input that leads from the one to the other. Installing, changing, repairing, rolling back and
// cleaning up are all the same step between two rulesets. Foreign chains and rules are never part of it.

import { parseCidr } from '../src/lib/address.ts'

export interface TableRules {
  /** Our chains in this table with their rules, without `-A <chain>`. */
  readonly chains: ReadonlyMap<string, readonly string[]>
  /** Rules in chains that are not ours whose target is one of ours, with `-A <chain>`, in order. */
  readonly jumps: readonly string[]
}

/** By table name; a table without anything of ours has no entry. */
export type Ruleset = ReadonlyMap<string, TableRules>

export const NOTHING: Ruleset = new Map()

const OURS = 'UNDERPASS_'

/** Reads our part of what iptables-save prints. */
export function parseRuleset(saved: string): Ruleset {
  const tables = new Map<string, { chains: Map<string, string[]>; jumps: string[] }>()
  let table = { chains: new Map<string, string[]>(), jumps: [] as string[] }
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) {
      table = { chains: new Map(), jumps: [] }
      tables.set(line.slice(1).trim(), table)
    } else if (line.startsWith(`:${OURS}`)) {
      table.chains.set(line.slice(1).split(' ')[0] ?? '', [])
    } else if (line.startsWith('-A ')) {
      keepRule(line, table)
    }
  }
  return new Map([...tables].filter(([, { chains, jumps }]) => chains.size + jumps.length > 0))
}

function keepRule(line: string, table: { chains: Map<string, string[]>; jumps: string[] }): void {
  const [, chain = '', rule = ''] = /^-A (\S+) (.*)$/.exec(line) ?? []
  const ours = table.chains.get(chain)
  if (ours !== undefined) ours.push(rule)
  else if (targetOf(rule).startsWith(OURS)) table.jumps.push(line)
}

/** True if both would treat every packet alike, however the tools order the matches of a rule. */
export function sameRuleset(one: Ruleset, other: Ruleset): boolean {
  if (one.size !== other.size) return false
  return [...one].every(([name, table]) => {
    const twin = other.get(name)
    return twin !== undefined && sameTable(table, twin)
  })
}

/** The input for `iptables-restore --noflush` that leads from one ruleset to the other; empty if they are the same. */
export function transition(from: Ruleset, to: Ruleset): string {
  const names = [...new Set([...to.keys(), ...from.keys()])]
  return names
    .map((name) => tableTransition(name, from.get(name) ?? EMPTY, to.get(name) ?? EMPTY))
    .join('')
}

const EMPTY: TableRules = { chains: new Map(), jumps: [] }

function tableTransition(name: string, from: TableRules, to: TableRules): string {
  if (sameTable(from, to)) return ''
  const stale = [...from.chains.keys()].filter((chain) => !to.chains.has(chain))
  // Jumps that are right already stay where they are: their place among foreign rules is not ours to change.
  const moved = !sameJumps(from.jumps, to.jumps)
  const lines = [
    `*${name}`,
    // Declaring a chain creates it, or empties the one that exists.
    ...[...to.chains.keys()].map((chain) => `:${chain} - [0:0]`),
    ...(moved ? from.jumps.map((jump) => `-D${jump.slice(2)}`) : []),
    ...stale.map((chain) => `-F ${chain}`),
    ...[...to.chains].flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
    ...(moved ? to.jumps : []),
    ...stale.map((chain) => `-X ${chain}`),
    'COMMIT',
  ]
  return `${lines.join('\n')}\n`
}

function sameTable(one: TableRules, other: TableRules): boolean {
  if (one.chains.size !== other.chains.size || !sameJumps(one.jumps, other.jumps)) return false
  return [...one.chains].every(([chain, rules]) => {
    const twins = other.chains.get(chain)
    return twins !== undefined && sameList(rules.map(normalRule), twins.map(normalRule))
  })
}

/** Jumps from different chains have no order among each other. */
function sameJumps(one: readonly string[], other: readonly string[]): boolean {
  return sameList(one.map(normalRule).toSorted(), other.map(normalRule).toSorted())
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index])
}

/** The matches of a rule in alphabetical order; versions and backends print them in different ones. */
export function normalRule(rule: string): string {
  const groups: string[][] = []
  let negated = false
  for (const token of tokens(rule)) {
    if (token === '!') negated = true
    else if (token.startsWith('-')) {
      groups.push(negated ? ['!', token] : [token])
      negated = false
    } else groups.at(-1)?.push(normalValue(groups.at(-1)?.at(-1), token))
  }
  return groups
    .map((group) => group.join(' '))
    .filter((group) => group !== '-m tcp')
    .toSorted()
    .join(' ')
}

function normalValue(option: string | undefined, value: string): string {
  if (option !== '-d' && option !== '-s') return value
  return parseCidr(value)?.text ?? value
}

function targetOf(rule: string): string {
  const all = tokens(rule)
  return all[all.findIndex((token) => token === '-j' || token === '-g') + 1] ?? ''
}

/** Words, or text in double quotes with its quotes taken off. */
function tokens(rule: string): string[] {
  return [...rule.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, word]) => quoted ?? word ?? '',
  )
}
