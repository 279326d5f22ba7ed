#!/usr/bin/env node
// The `underpass` command: registers one file a subcommand, and ends with status 2 when the line itself is wrong.

import { Command, CommanderError } from 'commander'
import { registerInit } from './init.ts'

/** The status of every refused command line and configuration. */
const BAD_INPUT = 2

const program = new Command('underpass')
  .description('a service mesh in TypeScript: iptables redirects and a Node.js sidecar')
  .exitOverride()
registerInit(program)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : BAD_INPUT
}
