// Runs the whole benchmark for a test, with a stand-in for haproxy where the test wants a proxy that breaks.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CATALOG } from '../../bench/catalog.ts'
import type { Mode } from '../../bench/mode.ts'
import type { Report } from '../../bench/report.ts'
import { Child, type Finished } from '../../demo/pods/child.ts'

const MAIN = 'build/bench/main.js'
const FAKE = new URL('./fake-proxy.js', import.meta.url).pathname

// The benchmark makes a world of its own: the test's world is shared with other tests.
const OWN_WORLD = { UNDERPASS_WORLD: '' }

/** Starts it without waiting for its end. */
export function startBench(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Child {
  return new Child([process.execPath, MAIN, ...words], { ...OWN_WORLD, ...env })
}

export async function bench(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return await startBench(words, env).finish()
}

/** An environment in which the fake is the first haproxy on the way. */
export function fakeHaproxy(folder: string, fault: string): Record<string, string> {
  const file = join(folder, 'haproxy')
  writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${FAKE}" "$@"\n`)
  chmodSync(file, 0o755)
  return { PATH: `${folder}:${process.env['PATH'] ?? ''}`, FAULT: fault }
}

/** Rows that have no proxy, and so nothing to say about one. */
export const ALONE: readonly string[] = ['direct']

/** Names of the targets that can be measured here. */
export function hereAt(mode: Mode): string[] {
  const { targets } = CATALOG[mode]
  return targets.filter((target) => target.missing() === undefined).map(({ name }) => name)
}

export function readReport(folder: string, mode: Mode): Report {
  return JSON.parse(readFileSync(join(folder, `${mode}.json`), 'utf8')) as Report
}
