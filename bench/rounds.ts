// The rounds: every scenario with all its contenders once a round, the order of the contenders turned around from one round to
// the next, so that none always runs on the machine as the same other one left it.

import type { Figures } from './clients/client.ts'
import type { Contender, Scenario } from './scenarios/scenario.ts'
import { type Means, Stage } from './stage.ts'
import type { Target } from './targets/target.ts'

export interface Plan {
  readonly scenarios: readonly Scenario[]
  readonly targets: readonly Target[]
  readonly rounds: number
  readonly seconds: number
  readonly warmup: number
  readonly connections: number | undefined
  readonly means: Means
  /** Folder for profiles of our own proxy; undefined for none. */
  readonly profile: string | undefined
}

export interface Sample {
  readonly scenario: string
  /** The contender's name. */
  readonly target: string
  /** From 1. */
  readonly round: number
  readonly figures: Figures
}

/** How many connections a scenario really uses. */
export function connectionsOf(scenario: Scenario, plan: Plan): number {
  if (scenario.connections === 0) return 0
  return Math.min(plan.connections ?? scenario.connections, scenario.limit(plan.means))
}

/** The order of one round. */
export function orderOf<Item>(items: readonly Item[], round: number): readonly Item[] {
  return round % 2 === 1 ? items : [...items].reverse()
}

/** Measures it all. The first error ends it, and so does `signal`; no process is left behind either way. */
export async function runRounds(
  plan: Plan,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<Sample[]> {
  const samples: Sample[] = []
  for (let round = 1; round <= plan.rounds; round++) {
    for (const scenario of plan.scenarios) {
      for (const contender of orderOf(scenario.contenders(plan.targets), round)) {
        const name = `round ${round} of ${plan.rounds}, ${scenario.name}, ${contender.name}`
        const figures = await runOnce(plan, scenario, contender, signal).catch((error: unknown) => {
          throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`)
        })
        samples.push({ scenario: scenario.name, target: contender.name, round, figures })
        say(`${name}: ${summary(scenario, figures)}`)
      }
    }
  }
  return samples
}

async function runOnce(
  plan: Plan,
  scenario: Scenario,
  contender: Contender,
  signal: AbortSignal,
): Promise<Figures> {
  signal.throwIfAborted()
  const stage = new Stage(plan.means, {
    proxyCores: scenario.proxyCores ?? 1,
    profile: plan.profile,
  })
  const { warmup, seconds } = plan
  const connections = connectionsOf(scenario, plan)
  // Ending the processes makes whoever waits for them fail, so that an interrupted run ends at once.
  const interrupt = (): void => void stage.close()
  signal.addEventListener('abort', interrupt)
  try {
    return await contender.measure({ stage, connections, warmup, seconds })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Error([message, stage.said()].filter((text) => text !== '').join('\n'))
  } finally {
    signal.removeEventListener('abort', interrupt)
    await stage.close()
  }
}

function summary(scenario: Scenario, figures: Figures): string {
  return scenario.metrics
    .filter(({ key }) => figures[key] !== undefined)
    .slice(0, 2)
    .map(({ key, title, digits }) => `${figures[key]?.toFixed(digits) ?? ''} ${title}`)
    .join(', ')
}
