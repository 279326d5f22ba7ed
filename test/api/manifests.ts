// Reads manifest text the way the planes do, for tests.

import type { Test } from 'tap'
import { readManifest } from '../../src/api/manifest.ts'
import { collectResources } from '../../src/api/resource-set.ts'
import type { Resources } from '../../src/api/resources.ts'
import { Problems } from '../../src/lib/problems.ts'

export interface Reading {
  readonly resources: Resources
  /** One line each. */
  readonly problems: string[]
  readonly warnings: string[]
}

/** Reads texts by file name, or one text as `f.yaml`. */
export function read(files: string | Readonly<Record<string, string>>): Reading {
  const problems = new Problems()
  const warnings = new Problems()
  const named = typeof files === 'string' ? { 'f.yaml': files } : files
  const all = Object.entries(named).flatMap(([file, text]) => [
    ...readManifest(text, file, problems),
  ])
  const resources = collectResources(all, problems, warnings)
  return { resources, problems: lines(problems), warnings: lines(warnings) }
}

/** A TrafficPolicy for the Service `s`, with these keys of its spec besides. */
export const policy = (spec: string, target = '{ kind: Service, name: s }'): string =>
  `apiVersion: underpass.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: p }\n` +
  `spec: { targetRef: ${target}, ${spec} }\n`

/** A text, then for each problem its path and a part of its message. */
export type Case = readonly [
  text: string,
  ...problems: readonly (readonly [path: string, says: string])[],
]

/** Each text has these problems, in this order, and no others. */
export function check(t: Test, cases: readonly Case[]): void {
  for (const [text, ...expected] of cases) {
    const found = read(text).problems
    t.same(
      found.map((line) => line.slice(0, line.indexOf(': '))),
      expected.map(([path]) => `f.yaml#1 ${path}`.trim()),
      text,
    )
    for (const [index, [, says]] of expected.entries()) t.match(found[index], says)
  }
}

function lines(problems: Problems): string[] {
  return problems.any ? problems.toString().split('\n') : []
}
