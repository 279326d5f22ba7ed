// What the figures were taken on, so that a reader knows what they can be compared with.

import { readFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { divideCores, type Means } from './stage.ts'
import type { Target } from './targets/target.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory: string
  readonly system: string
  readonly kernel: string
  readonly node: string
  /** Of the targets that were measured, by name. */
  readonly versions: Readonly<Record<string, string>>
  /** Which cores the proxy and everything else had. */
  readonly pinning: string
  readonly files: number
}

export function describeMachine(targets: readonly Target[], means: Means): Machine {
  const division = divideCores(means, 1)
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    system: systemName(),
    kernel: `${release()} ${arch()}`,
    node: process.versions.node,
    versions: Object.fromEntries(targets.map((target) => [target.name, target.version()])),
    pinning:
      division === undefined
        ? 'none'
        : `proxy on core ${division.proxy}, the rest on ${division.load}`,
    files: means.files,
  }
}

function systemName(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(text)?.[1] ?? 'Linux'
  } catch {
    return 'Linux'
  }
}
