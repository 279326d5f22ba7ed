// Which backend of iptables the rules go to, where the operator leaves it open.
//
// Rules in the backend that others in this namespace do not use would be seen by the kernel at another moment than
// theirs, or not at all; so what is in use decides, then what the kernel serves.

import { MeshError } from '../src/lib/errors.ts'
import type { Backend } from './options.ts'
import { parseRuleset } from './ruleset.ts'
import { findTools, kernelServes, save, type Tools } from './tools.ts'

const BACKENDS: readonly Backend[] = ['nft', 'legacy']

/** What a backend holds, as far as the choice depends on it. */
export interface Use {
  readonly backend: Backend
  readonly ours: boolean
  /** kubelet and kube-proxy leave chains that say which backend the node uses. */
  readonly kubernetes: boolean
  readonly rules: number
}

/** The IPv4 programs of the chosen backend. */
export async function chooseBackend(wanted: Backend | 'auto'): Promise<Tools> {
  const asked = wanted === 'auto' ? BACKENDS : [wanted]
  const found = asked.map((backend) => findTools(backend, 4)).filter((tools) => tools !== undefined)
  const [first, ...others] = found
  if (first === undefined) {
    const missing = wanted === 'auto' ? 'iptables' : `iptables-${wanted}`
    throw new MeshError('init-failed', { missing, install: 'the package iptables' })
  }
  if (others.length === 0) return first
  const inUse = choose(await Promise.all(found.map(useOf)))
  const used = found.find(({ backend }) => backend === inUse)
  if (used !== undefined) return used
  for (const tools of found) if (await kernelServes(tools)) return tools
  return first
}

/** The backend in use, or undefined if neither is. */
export function choose(uses: readonly Use[]): Backend | undefined {
  const [most] = uses
    .filter(({ rules }) => rules > 0)
    .toSorted((a, b) => rank(b) - rank(a) || b.rules - a.rules)
  return most?.backend
}

/** What was installed before stays where it is; then the node's own choice; then the larger number of rules. */
function rank({ ours, kubernetes }: Use): number {
  return (ours ? 2 : 0) + (kubernetes ? 1 : 0)
}

async function useOf(tools: Tools): Promise<Use> {
  const saved = await save(tools).catch(() => '')
  return { backend: tools.backend, ...countRules(saved) }
}

/** Counts rules and chains that somebody made; the built-in chains say nothing. */
export function countRules(saved: string): Omit<Use, 'backend'> {
  const lines = saved.split('\n')
  const made = lines.filter((line) => /^-A |^:\S+ - /.test(line))
  return {
    ours: parseRuleset(saved).size > 0,
    kubernetes: made.some((line) => line.startsWith(':KUBE-')),
    rules: made.length,
  }
}
