// A manifest file's text into resources: which document is of which kind, and who reads it.
//
// Resources come one at a time, so that a caller with a long file may do other things in between. What several
// resources say of each other is left to resource-set.ts; where the text comes from, to the planes.

import type { Problems } from '../lib/problems.ts'
import { item, join, readList, readMap } from '../lib/shape.ts'
import { readYaml } from '../lib/yaml.ts'
import { readEndpointSlice } from './endpoint-slice.ts'
import type { AnyResource, Origin } from './resources.ts'
import { readService } from './service.ts'
import { readServiceAccount } from './service-account.ts'
import { readTrafficPolicy } from './traffic-policy.ts'

type Reader = (value: unknown, path: string, origin: Origin, problems: Problems) => AnyResource

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['v1 Service', readService],
  ['v1 ServiceAccount', readServiceAccount],
  ['discovery.k8s.io/v1 EndpointSlice', readEndpointSlice],
  ['underpass.dev/v1alpha1 TrafficPolicy', readTrafficPolicy],
])

/**
 * The resources of a text, in their order; those with problems too, so that what refers to them is not a problem
 * as well. A problem's path is `file#document field`. Never throws.
 */
export function* readManifest(
  text: string,
  file: string,
  problems: Problems,
): Generator<AnyResource> {
  for (const { number, value } of readYaml(text, file, problems)) {
    if (value === undefined) continue
    yield* readObject(value, `${file}#${number} `, { file, document: number }, problems)
  }
}

function* readObject(
  value: unknown,
  path: string,
  origin: Origin,
  problems: Problems,
): Generator<AnyResource> {
  const fields = readMap(value, path, problems)
  if (typeof value !== 'object' || Array.isArray(value)) return
  const [apiVersion, kind] = [fields.get('apiVersion'), fields.get('kind')]
  if (apiVersion === 'v1' && kind === 'List') {
    const items = join(path, 'items')
    for (const [index, each] of readList(fields.get('items'), items, problems).entries()) {
      const resource = readOne(each, item(items, index), origin, problems)
      if (resource !== undefined) yield resource
    }
    return
  }
  const resource = readOne(value, path, origin, problems)
  if (resource !== undefined) yield resource
}

function readOne(
  value: unknown,
  path: string,
  origin: Origin,
  problems: Problems,
): AnyResource | undefined {
  const before = problems.count
  const fields = readMap(value, path, problems)
  if (problems.count > before) return undefined
  const [apiVersion, kind] = [fields.get('apiVersion'), fields.get('kind')]
  for (const [key, word] of Object.entries({ apiVersion, kind })) {
    if (typeof word === 'string' && word !== '') continue
    problems.add(
      join(path, key),
      word === undefined ? 'is required' : 'must be text',
      ...found(word),
    )
  }
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined
  const reader = READERS.get(`${apiVersion} ${kind}`)
  if (reader !== undefined) return reader(value, path, origin, problems)
  const [key, known] = kindsLike(kind)
  problems.add(
    join(path, key),
    `is not known; known here: ${known}`,
    key === 'kind' ? kind : apiVersion,
  )
  return undefined
}

/** What to say of an unknown pair: the versions of a known kind, or all known kinds. */
function kindsLike(kind: string): [key: 'apiVersion' | 'kind', known: string] {
  const all = [...READERS.keys()]
  const versions = all.filter((name) => name.endsWith(` ${kind}`))
  if (versions.length > 0) return ['apiVersion', versions.join(', ')]
  return ['kind', [...all, 'v1 List'].join(', ')]
}

function found(value: unknown): [] | [unknown] {
  return value === undefined ? [] : [value]
}
