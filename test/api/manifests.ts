// Reads manifest text the way the planes do, for tests.

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

function lines(problems: Problems): string[] {
  return problems.any ? problems.toString().split('\n') : []
}
