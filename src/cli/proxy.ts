// `underpass proxy`: the data plane of one pod, from its configuration to its end.
//
// SIGTERM, SIGINT and the admin port's /quit drain: nothing new is accepted, open connections may go on for the grace.
// A second signal ends the process at once; the one that follows a /quit, as after a preStop hook, is the first. Exit
// status 0 after a drain, 2 when configuration or manifests were refused, 1 for a defect.

import type { Command } from 'commander'
import { systemClock } from '../lib/clock.ts'
import { MeshError } from '../lib/errors.ts'
import { flushLog, type Log, openLog } from '../lib/log.ts'
import { Problems } from '../lib/problems.ts'
import { systemRandom } from '../lib/random.ts'
import { loadSettings } from '../proxy/config.ts'
import type { Settings } from '../proxy/settings.ts'
import { settingsTable } from '../proxy/settings-keys.ts'
import { Sidecar } from '../proxy/sidecar.ts'

const REFUSED = 2

export function registerProxy(program: Command): void {
  program
    .command('proxy')
    .description('carry the TCP connections of one pod')
    .option('-c, --config <file>', 'configuration file (YAML); variables win over it')
    .option('--check', 'read configuration and environment, say what is wrong, and end')
    .addHelpText('after', () => `\nConfiguration:\n\n${settingsTable()}\n`)
    .action(async ({ config, check }: { config?: string; check?: boolean }) => {
      const problems = new Problems()
      const settings = await loadSettings(config, process.env, problems)
      if (problems.any) refuse(problems.toString())
      if (check === true) process.stdout.write('The configuration is good.\n')
      else await run(settings)
    })
}

async function run(settings: Settings): Promise<void> {
  const log = openLog(settings.logLevel)
  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    sidecar.stop().then(
      () => {
        end(log, 0)
      },
      (error: unknown) => {
        crash(log, sidecar, error)
      },
    )
  }
  const sidecar = new Sidecar(settings, systemClock, systemRandom, log, stop)
  let signalled = false
  const onSignal = (): void => {
    if (signalled) {
      sidecar.abort()
      end(log, 1)
    }
    signalled = true
    stop()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('uncaughtException', (error) => {
    crash(log, sidecar, error)
  })
  try {
    await sidecar.start()
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    const { problems } = error.context
    refuse(typeof problems === 'string' ? problems : error.message)
  }
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(REFUSED)
}

/** A defect of ours: said as loudly as can be, and then the platform starts a clean process. */
function crash(log: Log, sidecar: Sidecar, error: unknown): void {
  const known = MeshError.from(error)
  const stack = error instanceof Error ? error.stack : undefined
  log.error({ event: 'crash', error: known.code, stack, message: known.message })
  sidecar.abort()
  end(log, 1)
}

/** Ends the process when the log is written; the resets of the last connections leave with this turn of the loop. */
function end(log: Log, status: number): void {
  flushLog(log, () => process.exit(status))
}
