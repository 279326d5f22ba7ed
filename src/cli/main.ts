#!/usr/bin/env node
// The command line: `underpass <command>`. One file a command, loaded only when it is asked for, because a sidecar
// should not carry the memory of commands that it does not run.

import { readFileSync } from 'node:fs'
import { Command } from 'commander'

interface Package {
  readonly version: string
  readonly description: string
}

const { version, description } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as Package

/** A command's name, what it does, and where its arguments are read. */
const COMMANDS = {
  proxy: async () => (await import('./proxy.ts')).proxyCommand(),
} satisfies Record<string, () => Promise<Command>>

const program = new Command('underpass').version(version).description(description)
const asked = process.argv[2] ?? ''
const names = Object.keys(COMMANDS).filter((name) => name === asked || !(asked in COMMANDS))
for (const name of names) program.addCommand(await COMMANDS[name as keyof typeof COMMANDS]())
// Wrong usage is exit status 2, for every command; help and version are 0.
const overrideExit = (command: Command): Command =>
  command.exitOverride(({ exitCode }) => {
    process.exit(exitCode === 0 ? 0 : 2)
  })
program.commands.forEach(overrideExit)
await overrideExit(program).parseAsync()
