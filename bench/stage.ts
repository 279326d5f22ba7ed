// The stage of one run: a folder, free ports, and the processes that were started, all ended by their own ids when
// the run is over, however it ends.
//
// Where there are cores enough, the proxy has the last one (or as many as a scenario gives it) for itself and everything
// else shares the others, so that a run does not depend on where the scheduler happens to put them. Every process gets the same limit on
// file descriptors.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../demo/pods/child.ts'
import { processTree } from './accounting.ts'

/** Enough for 10,000 proxied connections, with two descriptors each. */
const WANTED_FILES = 20_480
const GRACE_MS = 3000
const SAID = 2000

export type Role = 'proxy' | 'load'

/** What the machine allows a run: found once, and the same for all. */
export interface Means {
  /** Open files of a process. */
  readonly files: number
  /** Cores that may be used; undefined where nothing can be pinned. */
  readonly cores: readonly number[] | undefined
}

/** Cores by role, as taskset wants them. */
export type Division = Readonly<Record<Role, string>>

export interface Setup {
  /** Cores that the proxy has for itself. */
  readonly proxyCores: number
  /** Folder for profiles of our own proxy; undefined for none. */
  readonly profile: string | undefined
}

export function findMeans(): Means {
  const script = `ulimit -n ${WANTED_FILES} 2>/dev/null; ulimit -n "$(ulimit -Hn)"; ulimit -n`
  const limit = Number(spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout)
  return { files: limit > 0 ? Math.min(limit, WANTED_FILES) : WANTED_FILES, cores: findCores() }
}

function findCores(): Means['cores'] {
  const probe = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' })
  if (probe.status !== 0) return undefined
  return parseCores(probe.stdout.slice(probe.stdout.indexOf(':')))
}

/** Undefined where there is none left for the load: then nothing is pinned. */
export function divideCores({ cores = [] }: Means, proxyCores: number): Division | undefined {
  if (cores.length <= proxyCores) return undefined
  const [load, proxy] = [cores.slice(0, -proxyCores), cores.slice(-proxyCores)]
  return { load: load.join(','), proxy: proxy.join(',') }
}

/** The cores of a list such as `0-2,5`. */
export function parseCores(list: string): number[] {
  return [...list.matchAll(/(\d+)(?:-(\d+))?/g)].flatMap(([, first, last]) => {
    const from = Number(first)
    return Array.from({ length: Number(last ?? first) - from + 1 }, (_, index) => from + index)
  })
}

export class Stage {
  readonly means: Means
  readonly folder: string
  readonly profile: string | undefined
  readonly #cores: Division | undefined
  readonly #children: Child[] = []
  readonly #proxies: Child[] = []

  constructor(means: Means, { proxyCores, profile }: Setup) {
    this.means = means
    this.profile = profile
    this.#cores = divideCores(means, proxyCores)
    this.folder = mkdtempSync(join(tmpdir(), 'underpass-bench-'))
  }

  start(role: Role, command: readonly string[]): Child {
    const pin = this.#cores === undefined ? [] : ['taskset', '-c', this.#cores[role]]
    const limit = ['sh', '-c', `ulimit -n ${this.means.files}; exec "$@"`, 'sh']
    const child = new Child([...limit, ...pin, ...command])
    this.#children.push(child)
    if (role === 'proxy') this.#proxies.push(child)
    return child
  }

  /** The end of what the proxies printed, for a run that failed: they often know why. */
  said(): string {
    return this.#proxies.map(({ stdout, stderr }) => (stdout + stderr).slice(-SAID)).join('')
  }

  /** Ends everything that was started, last first, and removes the folder. */
  async close(): Promise<void> {
    for (const child of this.#children.splice(0).reverse()) await end(child)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A port of 127.0.0.1 that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

/** Ends a process, and what it started if that outlives it (a worker whose master had to be killed). */
async function end(child: Child): Promise<void> {
  if (child.exit !== undefined) return
  const family = processTree(child.pid).map((pid) => ({ pid, born: startOf(pid) }))
  const timer = setTimeout(() => {
    for (const { pid, born } of family) {
      if (born !== undefined && startOf(pid) === born) process.kill(pid, 'SIGKILL')
    }
  }, GRACE_MS)
  await child.stop('SIGTERM', GRACE_MS)
  clearTimeout(timer)
}

/** When a process began, which tells it from a later one with the same id. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
