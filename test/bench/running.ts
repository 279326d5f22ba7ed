// Runs the whole benchmark for a test, with a stand-in for haproxy where the test wants a proxy that breaks.

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
