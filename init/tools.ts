// The programs of iptables, as they are on this machine: which exist, which backend they drive, and how to run them.
//
// Each runs as one process without a shell, reading standard input. A machine may have both backends side by side
// under their own names, or one under the plain name; asking for the version tells which. What is written with them
// is left to apply.ts.

import { spawn, spawnSync } from 'node:child_process'
import { MeshError } from '../src/lib/errors.ts'
import type { Backend } from './options.ts'

/** The programs of one backend for one address family. */
export interface Tools {
  readonly backend: Backend
  readonly family: 4 | 6
  readonly main: string
  readonly save: string
  readonly restore: string
  /** True if `restore` knows how to wait for the lock; nft has none. */
  readonly canWait: boolean
}

interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

const PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`
const ENVIRONMENT = { ...process.env, PATH, LC_ALL: 'C' }

/** The programs for a backend and family, or undefined if this machine has none. */
export function findTools(backend: Backend, family: 4 | 6): Tools | undefined {
  const plain = family === 4 ? 'iptables' : 'ip6tables'
  for (const main of [`${plain}-${backend}`, plain]) {
    const asked = spawnSync(main, ['--version'], { env: ENVIRONMENT, encoding: 'utf8' })
    if (asked.status !== 0) continue
    // Versions before the two backends lived side by side do not name theirs: legacy.
    const found: Backend = asked.stdout.includes('nf_tables') ? 'nft' : 'legacy'
    if (found !== backend) continue
    const canWait = backend === 'legacy' && restoreCanWait(asked.stdout)
    return { backend, family, main, save: `${main}-save`, restore: `${main}-restore`, canWait }
  }
  return undefined
}

/** What the backend holds, all tables that exist; reading makes none. Fails with the program's own words. */
export async function save(tools: Tools): Promise<string> {
  const ran = await run(tools.save, [])
  if (ran.status !== 0) throw failure(tools.save, ran)
  return ran.stdout
}

/** Applies `input` in one transaction, after a rehearsal that changes nothing. */
export async function restore(tools: Tools, input: string, lockWait: number): Promise<void> {
  const wait = tools.canWait ? ['-w', `${lockWait}`] : []
  for (const rehearsal of [['--test'], []]) {
    const ran = await run(tools.restore, ['--noflush', ...wait, ...rehearsal], input)
    if (ran.status !== 0) throw failure(tools.restore, ran)
  }
}

/** True if the kernel serves this backend: its nat table can be listed. */
export async function kernelServes(tools: Tools): Promise<boolean> {
  const wait = tools.canWait ? ['-w', '5'] : []
  const ran = await run(tools.main, [...wait, '-t', 'nat', '-S', 'OUTPUT'])
  return ran.status === 0
}

// Without nf_tables the kernel knows no such netlink protocol or subsystem; without ip_tables it has no table.
const UNSERVED = [
  /Failed to initialize nft: (Protocol|Address family) not supported/,
  /Could not fetch rule set generation id: (Invalid argument|Operation not supported)/,
  /Table does not exist \(do you need to insmod\?\)/,
  /iptables who\? \(do you need to insmod\?\)/,
]

/** True if a program's words mean that the kernel does not serve its backend, not that it would not answer. */
export function saysUnserved(said: string): boolean {
  return UNSERVED.some((words) => words.test(said))
}

function restoreCanWait(version: string): boolean {
  const [, major = 0, minor = 0, patch = 0] = (/v(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).map(
    Number,
  )
  return major * 1e6 + minor * 1e3 + patch >= 1_006_002
}

function failure(program: string, { status, stderr }: Ran): MeshError {
  const said = stderr.trim().replaceAll(/\s*\n\s*/g, '; ')
  return new MeshError('init-failed', { program, status, said: said === '' ? 'nothing' : said })
}

async function run(file: string, args: readonly string[], input = ''): Promise<Ran> {
  return await new Promise((resolve) => {
    const child = spawn(file, args, { env: ENVIRONMENT, stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', (error) => {
      resolve({ status: 127, stdout, stderr: error.message })
    })
    child.once('close', (code, signal) => {
      resolve({
        status: code ?? 128,
        stdout,
        stderr: signal === null ? stderr : `${stderr}${signal}`,
      })
    })
    // A program that ends early does not read its input; its exit status says so.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
