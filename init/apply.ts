// Installs the redirects, changes them, repairs them and takes them away again.
//
// What stands in the kernel is read first; if it is what is wanted, nothing is written. Otherwise one transaction
// per address family leads from the one to the other, touching nothing that is not ours; what was there before is
// kept to go back to when the second family fails. A second init at the same time is met by reading again
// afterwards: whoever finds something else than it wanted makes one more step.

import { existsSync } from 'node:fs'
import type { Clock } from '../src/lib/clock.ts'
import { MeshError } from '../src/lib/errors.ts'
import type { Random } from '../src/lib/random.ts'
import { chooseBackend } from './backend.ts'
import type { Options } from './options.ts'
import { plannedRules } from './rules.ts'
import { NOTHING, parseRuleset, type Ruleset, sameRuleset, transition } from './ruleset.ts'
import { findTools, restore, save, saysUnserved, type Tools } from './tools.ts'

export interface Surroundings {
  readonly clock: Clock
  readonly random: Random
  /** Told what a person should know, one sentence each. */
  readonly warn: (sentence: string) => void
}

export interface Outcome {
  readonly backend: string
  /** The families whose rules are in force now. */
  readonly families: readonly (4 | 6)[]
  /** False if everything stood as wanted already. */
  readonly changed: boolean
}

const ATTEMPTS = 8
const FAMILIES = [4, 6] as const
const BACKENDS = ['nft', 'legacy'] as const

/** Brings the rules of this network namespace to what the options want. */
export async function install(options: Options, around: Surroundings): Promise<Outcome> {
  const v4 = await chooseBackend(options.backend)
  const v6 = await findV6(options, v4.backend, around)
  const before = await ours(v4)
  let changed = await settle(v4, plannedRules(options, 4), options, around)
  if (v6 !== undefined) {
    try {
      changed = (await settle(v6, plannedRules(options, 6), options, around)) || changed
    } catch (cause) {
      await rollBack(v4, before, options, around, cause)
    }
  }
  const kept = v6 === undefined ? [v4] : [v4, v6]
  const others = await removeOurs(options, around, kept)
  for (const { program, said } of others.unread) {
    around.warn(`It is not known if rules of an earlier init are left: ${program} said: ${said}.`)
  }
  changed = others.changed || changed
  return { backend: v4.backend, families: kept.map(({ family }) => family), changed }
}

/** Removes what we installed, in every table, family and backend; fails if it could not look into all of them. */
export async function cleanUp(options: Options, around: Surroundings): Promise<boolean> {
  const { changed, looked, unread } = await removeOurs(options, around, [])
  if (unread.length > 0) {
    const said = unread.map((one) => `${one.program}: ${one.said}`).join('; ')
    throw new MeshError('init-failed', { unread: said })
  }
  if (looked === 0) {
    throw new MeshError('init-failed', {
      missing: 'iptables that works with this kernel',
      install: 'the package iptables',
    })
  }
  return changed
}

async function findV6(
  options: Options,
  backend: Tools['backend'],
  around: Surroundings,
): Promise<Tools | undefined> {
  if (options.ipv6 === 'off') return undefined
  const why = await whyNoV6(backend)
  if (typeof why !== 'string') return why
  if (options.ipv6 === 'on') throw new MeshError('init-failed', { ipv6: why })
  around.warn(`IPv6 is not captured: ${why}. --ipv6 off says that this is meant.`)
  return undefined
}

async function whyNoV6(backend: Tools['backend']): Promise<Tools | string> {
  if (!existsSync('/proc/net/if_inet6')) return 'the kernel has no IPv6'
  const tools = findTools(backend, 6)
  if (tools === undefined) return `there is no ip6tables for ${backend}`
  try {
    await save(tools)
    return tools
  } catch (error) {
    return `${tools.save} failed: ${saidBy(error)}`
  }
}

async function ours(tools: Tools): Promise<Ruleset> {
  return parseRuleset(await save(tools))
}

/** Makes what stands what is wanted; true if something was written. */
async function settle(
  tools: Tools,
  wanted: Ruleset,
  options: Options,
  around: Surroundings,
): Promise<boolean> {
  let standing = await ours(tools)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (sameRuleset(standing, wanted)) return attempt > 0
    if (attempt > 0) await pause(attempt, around)
    const failure = await tryRestore(tools, transition(standing, wanted), options)
    const found = await ours(tools)
    // Where the ground did not move, the failure is not another init's doing and will not go away.
    if (failure !== undefined && sameRuleset(found, standing)) throw failure
    standing = found
  }
  if (sameRuleset(standing, wanted)) return true
  throw new MeshError('init-failed', {
    reason: 'the rules read back are not the rules written',
    program: tools.restore,
    attempts: ATTEMPTS,
  })
}

async function tryRestore(
  tools: Tools,
  input: string,
  options: Options,
): Promise<MeshError | undefined> {
  try {
    await restore(tools, input, options.lockWait)
    return undefined
  } catch (error) {
    return error instanceof MeshError ? error : new MeshError('init-failed', {}, error)
  }
}

/** Two that met wait unequally long, so that they do not meet again. */
async function pause(attempt: number, { clock, random }: Surroundings): Promise<void> {
  await new Promise<void>((resolve) => clock.after(attempt * 50 * random(), resolve))
}

async function rollBack(
  tools: Tools,
  before: Ruleset,
  options: Options,
  around: Surroundings,
  cause: unknown,
): Promise<never> {
  await settle(tools, before, options, around)
  const said = 'IPv6 failed, so the IPv4 rules are back to what they were'
  throw new MeshError('init-failed', { rolledBack: said }, cause)
}

interface Removal {
  /** True if something was written. */
  readonly changed: boolean
  /** How many pairs of backend and family could be read. */
  readonly looked: number
  /** What could not be read, though it may hold something of ours. */
  readonly unread: readonly { readonly program: string; readonly said: string }[]
}

/** Takes ours away wherever it is, except from what `kept` names. */
async function removeOurs(
  options: Options,
  around: Surroundings,
  kept: readonly Tools[],
): Promise<Removal> {
  let changed = false
  let looked = 0
  const unread: { program: string; said: string }[] = []
  for (const backend of BACKENDS) {
    for (const family of FAMILIES) {
      if (kept.some((tools) => tools.backend === backend && tools.family === family)) continue
      const tools = findTools(backend, family)
      if (tools === undefined) continue
      const found = await look(tools)
      if (found === undefined) continue
      if (typeof found === 'string') {
        unread.push({ program: tools.save, said: found })
        continue
      }
      looked++
      if (found.size > 0) changed = (await settle(tools, NOTHING, options, around)) || changed
    }
  }
  return { changed, looked, unread }
}

/** What of ours there is, or why that is not known; undefined where the kernel serves nothing that could hold it. */
async function look(tools: Tools): Promise<Ruleset | string | undefined> {
  try {
    return await ours(tools)
  } catch (error) {
    const said = saidBy(error)
    return saysUnserved(said) ? undefined : said
  }
}

function saidBy(error: unknown): string {
  const said = error instanceof MeshError ? error.context['said'] : undefined
  return String(said ?? error)
}
