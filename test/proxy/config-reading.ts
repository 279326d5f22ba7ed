// Reads a configuration from text and the environment, and holds its problems against those expected.

import type { Test } from 'tap'
import { Problems } from '../../src/lib/problems.ts'
import { readSettings } from '../../src/proxy/config.ts'
import type { Environment } from '../../src/proxy/config-sources.ts'
import type { Settings } from '../../src/proxy/settings.ts'

export function read(
  text: string,
  env: Environment = {},
): { settings: Settings; problems: string[] } {
  const problems = new Problems()
  const settings = readSettings({ name: 'conf/proxy.yaml', text }, env, problems)
  return { settings, problems: problems.any ? problems.toString().split('\n') : [] }
}

/** A text, the environment, then for each problem its path and a part of its message. */
export type Case = readonly [
  text: string,
  env: Environment,
  ...problems: (readonly [string, string])[],
]

export function check(t: Test, cases: readonly Case[]): void {
  for (const [text, env, ...expected] of cases) {
    const found = read(text, env).problems
    const paths = expected.map(([path]) => path.replace(/^\./, 'conf/proxy.yaml '))
    const name = `${text} ${JSON.stringify(env)}`
    const noted = found.map((line) => line.slice(0, line.indexOf(': ')))
    t.same(noted, paths, name)
    for (const [index, [, says]] of expected.entries()) t.match(found[index], says)
  }
}

export const SOME: string = 'outbound: { transparent: 127.0.0.1:15001 }\n'
