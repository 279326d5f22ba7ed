// `underpass init`: reads the options, then installs, removes or prints the redirects, and proves that they work.
//
// It ends with a status that says which of these failed. What the options mean is left to init/.

import { type Command, Option } from 'commander'
import { cleanUp, install, type Surroundings } from '../../init/apply.ts'
import { FLAGS, gather, type Options, parseOptions, variableOf } from '../../init/options.ts'
import { plannedRules } from '../../init/rules.ts'
import { NOTHING, transition } from '../../init/ruleset.ts'
import { verify } from '../../init/verify.ts'
import { systemClock } from '../lib/clock.ts'
import { MeshError } from '../lib/errors.ts'
import { type Log, openLog } from '../lib/log.ts'
import { Problems } from '../lib/problems.ts'
import { systemRandom } from '../lib/random.ts'

/** 126 is what other meshes' validation ends with, and what restart policies were written for. */
export const STATUS = { done: 0, failed: 1, badOptions: 2, unverified: 126 } as const

const MODES = ['cleanup', 'dry-run'] as const
const MODE_WORDS: readonly string[] = ['true', 'false']

const EPILOGUE = `
Every option is also an environment variable: --outbound-port is ${variableOf('outbound-port')},
--dry-run is ${variableOf('dry-run')}=true. The command line wins. An empty variable counts as
absent, unless it is a list.

Lists are separated by commas. Ports and ids may be ranges: 80,3000-3010. "all" captures everything, "" nothing.
A connection is captured if its port and its address are included and nothing about it is excluded.
Connections over loopback stay inside the pod, unless --outbound-cidrs-include names a loopback network.

Exit status: 0 done; 1 the rules could not be applied or removed; 2 an option is wrong;
126 the rules are applied, but a trial connection was not redirected.
`

/** Registers the command. */
export function registerInit(program: Command): void {
  const command = program
    .command('init')
    .description("install the redirects of this pod's TCP connections to the proxy")
  for (const { name, value, fallback, help } of FLAGS) {
    const shown = fallback === '' ? 'none' : fallback
    command.addOption(new Option(`--${name} ${value}`, `${help} (default: ${shown})`))
  }
  command
    .option('--cleanup', 'remove exactly what was installed, in every table, family and backend')
    .option('--dry-run', 'print what a fresh pod would get, and change nothing')
    .addHelpText('after', EPILOGUE)
    .action(async () => {
      process.exitCode = await runInit(command.opts(), process.env)
    })
}

type Values = Readonly<Record<string, string | boolean | undefined>>
type Environment = Readonly<Record<string, string | undefined>>

async function runInit(values: Values, environment: Environment): Promise<number> {
  const problems = new Problems()
  const given = gather(texts(values), environment, MODES, problems)
  const options = parseOptions(given, problems)
  const cleanup = isSet('cleanup', values, environment, problems)
  const dryRun = isSet('dry-run', values, environment, problems)
  if (problems.any) {
    process.stderr.write(`underpass init: the options are wrong\n${problems.toString()}\n`)
    return STATUS.badOptions
  }
  if (dryRun) {
    process.stdout.write(describeRules(options))
    return STATUS.done
  }
  const log = openLog('info', { component: 'init' })
  try {
    return cleanup ? await remove(options, log) : await installAndVerify(options, log)
  } catch (error) {
    const code = error instanceof MeshError ? error.code : 'internal'
    log.error({ error: code }, error instanceof Error ? error.message : String(error))
    return STATUS.failed
  }
}

async function remove(options: Options, log: Log): Promise<number> {
  const changed = await cleanUp(options, surroundings(log))
  log.info(changed ? 'the redirects are removed' : 'there was nothing to remove')
  return STATUS.done
}

async function installAndVerify(options: Options, log: Log): Promise<number> {
  const { backend, families, changed } = await install(options, surroundings(log))
  log.info(
    { backend, families, changed },
    changed ? 'the redirects are in force' : 'the redirects stood already',
  )
  if (!options.verify) return STATUS.done
  let status: number = STATUS.done
  for (const family of families) {
    const { kind, reason } = await verify(options, family, systemClock)
    if (kind === 'verified') log.info({ family }, `verified: ${reason} at the proxy's port`)
    else if (kind === 'skipped') log.warn({ family }, `not verified: ${reason}`)
    else {
      log.error({ family, error: 'init-failed' }, reason)
      status = STATUS.unverified
    }
  }
  return status
}

function surroundings(log: Log): Surroundings {
  const warn = (sentence: string): void => {
    log.warn(sentence)
  }
  return { clock: systemClock, random: systemRandom, warn }
}

/** What a fresh pod would get, per family. */
function describeRules(options: Options): string {
  const families = options.ipv6 === 'off' ? ([4] as const) : ([4, 6] as const)
  return families
    .map((family) => {
      const program = family === 4 ? 'iptables-restore' : 'ip6tables-restore'
      return `# ${program} --noflush\n${transition(NOTHING, plannedRules(options, family))}`
    })
    .join('')
}

/** Commander names options in camel case; the flags table has them as they are written. */
function texts(values: Values): Record<string, string | undefined> {
  const named = FLAGS.map(({ name }) => {
    const value = values[name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())]
    return [name, typeof value === 'string' ? value : undefined] as const
  })
  return Object.fromEntries(named)
}

function isSet(
  mode: (typeof MODES)[number],
  values: Values,
  environment: Environment,
  problems: Problems,
): boolean {
  if (values[mode === 'dry-run' ? 'dryRun' : mode] === true) return true
  const variable = variableOf(mode)
  const given = environment[variable]?.trim() ?? ''
  const text = given === '' ? 'false' : given
  if (!MODE_WORDS.includes(text)) problems.add(variable, 'must be one of true, false', text)
  return text === 'true'
}
