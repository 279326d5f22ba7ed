// `underpass proxy`: the data plane of one pod, from its configuration to its end.
//
// SIGTERM, SIGINT and the admin port's /quit drain: nothing new is accepted, open connections may go on for the grace.
// A second signal ends the process at once; the one that follows a /quit, as after a preStop hook, is the first. Exit
// status 0 after a drain, 2 when configuration or manifests were refused, 1 for a defect.

import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { systemClock } from '../lib/clock.ts'
import { MeshError } from '../lib/errors.ts'
import { type Log, openLog, openOutput } from '../lib/log.ts'
import type { LogOutput } from '../lib/log-output.ts'
import { Problems } from '../lib/problems.ts'
import { systemRandom } from '../lib/random.ts'
import { loadSettings } from '../proxy/config.ts'
import type { Settings } from '../proxy/settings.ts'
import { settingsTable } from '../proxy/settings-keys.ts'
import { crash, end } from './ending.ts'

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

/** What carries the traffic: this process, or several that this one leads. */
interface DataPlane {
  start(): Promise<void>
  stop(): Promise<void>
  abort(): unknown
}

async function run(settings: Settings): Promise<void> {
  const output = openOutput()
  const log = openLog(settings.logLevel, {}, output)
  let stopping = false
  let status = 0
  const stop = (): void => {
    if (stopping) return
    stopping = true
    plane.stop().then(
      () => {
        end(log, status)
      },
      (error: unknown) => {
        crash(log, plane, error)
      },
    )
  }
  const plane = await dataPlane(settings, log, output, stop)
  let signalled = false
  const onSignal = (): void => {
    if (signalled) {
      status = 1
      void Promise.resolve(plane.abort()).finally(() => {
        end(log, status)
      })
    }
    signalled = true
    stop()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('uncaughtException', (error) => {
    crash(log, plane, error)
  })
  try {
    await plane.start()
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    const { problems } = error.context
    refuse(typeof problems === 'string' ? problems : error.message)
  }
}

/** Neither kind is loaded when the other is wanted: that is memory. */
async function dataPlane(
  settings: Settings,
  log: Log,
  output: LogOutput,
  onQuit: () => void,
): Promise<DataPlane> {
  if (settings.workers === 1) {
    const { Sidecar } = await import('../proxy/sidecar.ts')
    return new Sidecar(settings, systemClock, systemRandom, log, onQuit)
  }
  const { Supervisor } = await import('../proxy/workers/supervisor.ts')
  const { forkOf } = await import('../proxy/workers/worker-process.ts')
  const fork = forkOf(fileURLToPath(new URL('./proxy-worker.js', import.meta.url)), output)
  return new Supervisor(settings, systemClock, log, fork, onQuit)
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(REFUSED)
}
