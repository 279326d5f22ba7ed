// The command line: `underpass <command>`, one file a command. Ends with status 2 when the line itself is wrong.
//
// A command is loaded only when it is asked for: a sidecar should not carry the memory of commands it does not run.

import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'

interface Package {
  readonly version: string
  readonly description: string
}

type Register = (program: Command) => void

/** The status of every refused command line and configuration. */
const BAD_INPUT = 2

const COMMANDS = new Map<string, () => Promise<Register>>([
  ['proxy', async () => (await import('./proxy.ts')).registerProxy],
  ['init', async () => (await import('./init.ts')).registerInit],
])

const { version, description } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as Package
const program = new Command('underpass').version(version).description(description).exitOverride()
const asked = COMMANDS.get(process.argv[2] ?? '')
for (const load of asked === undefined ? COMMANDS.values() : [asked]) {
  const register = await load()
  register(program)
}

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : BAD_INPUT
}
