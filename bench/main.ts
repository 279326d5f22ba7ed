// `npm run bench`: measures, prints a table, writes the results. Runs in a network of its own where it can, so that
// neither rules nor other programs of the machine are in the way and nothing outlives it.
//
// Exit status: 0 done, 1 an error in any run (nothing is written then) or an unmet goal with --check, 2 a wrong
// command line, 130 interrupted.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CommanderError } from 'commander'
import { insideWorld, runInWorld, settleWorld, whyNoWorld } from '../demo/pods/world.ts'
import { CATALOG } from './catalog.ts'
import { installPeers } from './install.ts'
import { judge } from './judge.ts'
import { describeMachine } from './machine.ts'
import type { Mode } from './mode.ts'
import { type Options, parseOptions, scenariosAt } from './options.ts'
import { buildSection, type Report } from './report.ts'
import { connectionsOf, type Plan, runRounds } from './rounds.ts'
import { findMeans } from './stage.ts'
import { renderMarkdown, renderText } from './table.ts'
import type { Target } from './targets/target.ts'

/** A warm-up is as long as the load, but not longer than this: V8 has compiled what matters by then. */
const WARMUP_SECONDS = 2
/** What a run takes besides its load: processes start and end. */
const AROUND_SECONDS = 1.5
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

process.exitCode = await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<number> {
  let options: Options
  try {
    options = parseOptions(words)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
  try {
    if (insideWorld()) return await measureInside(words, options)
    if (options.install) installPeers(say)
    const why = whyNoWorld()
    if (why === undefined) return await runInWorld(fileURLToPath(import.meta.url), words)
    say(`measuring without a network of its own. ${why}`)
    return await measure(words, options, new AbortController())
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return 1
  }
}

async function measureInside(words: readonly string[], options: Options): Promise<number> {
  const control = new AbortController()
  await settleWorld(() => {
    control.abort()
  })
  return await measure(words, options, control)
}

async function measure(
  words: readonly string[],
  options: Options,
  control: AbortController,
): Promise<number> {
  const interrupt = (): void => {
    control.abort()
  }
  for (const signal of SIGNALS) process.on(signal, interrupt)
  try {
    let unmet = false
    for (const mode of options.modes) {
      const report = await makeReport(mode, words, options, control.signal)
      write(report, options.out)
      unmet ||= report.goals.some(({ outcome }) => outcome === 'not met')
    }
    return options.check && unmet ? 1 : 0
  } catch (error) {
    if (!control.signal.aborted) throw error
    say('interrupted')
    return 130
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
}

async function makeReport(
  mode: Mode,
  words: readonly string[],
  options: Options,
  signal: AbortSignal,
): Promise<Report> {
  const targets = chooseTargets(mode, options.targets)
  const { rounds, seconds, connections, profile } = options
  const warmup = Math.min(seconds, WARMUP_SECONDS)
  const means = findMeans()
  const scenarios = scenariosAt(mode, options.scenarios).filter(
    (scenario) => scenario.contenders(targets).length > 0,
  )
  const plan: Plan = { scenarios, targets, rounds, seconds, warmup, connections, means, profile }
  announce(mode, plan)
  const samples = await runRounds(plan, signal, say)
  const sections = scenarios.map((scenario) =>
    buildSection(scenario, connectionsOf(scenario, plan), samples),
  )
  const machine = describeMachine(targets, means)
  return {
    mode,
    date: new Date().toISOString(),
    command: ['npm run bench', ...(words.length > 0 ? ['--'] : []), ...words].join(' '),
    ...{ rounds, seconds, warmup },
    machine,
    sections,
    goals: judge(CATALOG[mode].goals, sections, machine.cores),
  }
}

/** Those asked for, all of which must be here; or those that are. */
function chooseTargets(mode: Mode, names: readonly string[] | undefined): Target[] {
  const chosen = CATALOG[mode].targets.filter(({ name }) => names?.includes(name) ?? true)
  const missing = chosen.flatMap((target) => {
    const why = target.missing()
    return why === undefined ? [] : [{ target, why }]
  })
  const reasons = missing.map(({ why }) => why).join('; ')
  if (missing.length > 0 && names !== undefined) throw new Error(reasons)
  if (missing.length > 0) say(`left out: ${reasons}`)
  return chosen.filter((target) => !missing.some((entry) => entry.target === target))
}

/** Says beforehand what a person would wonder about: how long it takes, and what the machine does not allow. */
function announce(mode: Mode, plan: Plan): void {
  const { scenarios, targets, rounds, seconds, warmup, means } = plan
  const contenders = scenarios.flatMap((scenario) => scenario.contenders(targets))
  const runs = rounds * contenders.length
  const minutes = Math.ceil((runs * (seconds + warmup + AROUND_SECONDS)) / 60)
  say(
    `${mode}: ${runs} runs, at most about ${minutes} min; an interrupt ends it and leaves nothing behind`,
  )
  for (const scenario of scenarios) {
    const [wanted, possible] = [plan.connections ?? scenario.connections, scenario.limit(means)]
    if (scenario.connections === 0 || possible >= wanted) continue
    const why = `a process may open ${means.files} files here`
    say(`${scenario.name}: ${possible} connections instead of ${wanted}, because ${why}`)
  }
}

function write(report: Report, out: string): void {
  const [file, table] = [join(out, `${report.mode}.json`), join(out, `${report.mode}.md`)]
  mkdirSync(out, { recursive: true })
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(table, renderMarkdown(report))
  process.stdout.write(`\n${renderText(report)}`)
  say(`written: ${file} and ${table}`)
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`)
}
