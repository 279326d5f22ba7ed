// `metadata`, as every Kubernetes object has it: the name, the namespace, labels and annotations.
//
// The other fields are known, so that what a cluster prints can be read and a misspelt one is refused, but nothing
// here uses them. Annotations below `underpass.dev/` are ours: each kind says which of them it has.

import type { Problems } from '../lib/problems.ts'
import { join, readRequiredFields, readTexts } from '../lib/shape.ts'

export interface Metadata {
  /** Empty after a problem. */
  readonly name: string
  readonly namespace: string
  readonly labels: ReadonlyMap<string, string>
  readonly annotations: ReadonlyMap<string, string>
}

/** What a kind asks of its metadata. */
export interface MetadataRules {
  /** A `label` is one word; a `subdomain` is words with dots between them. */
  readonly name: 'label' | 'subdomain'
  /** Which annotations below `underpass.dev/` the kind has. */
  readonly annotations: readonly string[]
}

const OWN_PREFIX = 'underpass.dev/'
const KNOWN = [
  'name',
  'namespace',
  'labels',
  'annotations',
  'generateName',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'ownerReferences',
  'finalizers',
  'managedFields',
  'clusterName',
]
/** RFC 1123 section 2.1, lower case as Kubernetes has it. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export function readMetadata(
  value: unknown,
  path: string,
  problems: Problems,
  rules: MetadataRules,
): Metadata {
  const fields = readRequiredFields(value, path, KNOWN, problems)
  const annotations = readTexts(fields.get('annotations'), join(path, 'annotations'), problems)
  refuseUnknownAnnotations(annotations, join(path, 'annotations'), problems, rules.annotations)
  const readName = rules.name === 'label' ? readLabel : readSubdomain
  return {
    name: readName(fields.get('name'), join(path, 'name'), problems),
    namespace: readLabel(fields.get('namespace') ?? 'default', join(path, 'namespace'), problems),
    labels: readTexts(fields.get('labels'), join(path, 'labels'), problems),
    annotations,
  }
}

/** An RFC 1123 label, such as the name of a Service or of a port; empty after a problem. */
export function readLabel(value: unknown, path: string, problems: Problems): string {
  if (typeof value === 'string' && LABEL.test(value)) return value
  const rule = 'must be a name of 1 to 63 lower-case letters, digits and inner hyphens'
  if (value === undefined) problems.add(path, 'is required')
  else problems.add(path, rule, value)
  return ''
}

/** An RFC 1123 subdomain, such as the name of an EndpointSlice; empty after a problem. */
function readSubdomain(value: unknown, path: string, problems: Problems): string {
  if (typeof value === 'string' && value.length <= 253 && value.split('.').every(isLabel)) {
    return value
  }
  const rule = 'must be a name of lower-case letters, digits, inner hyphens and dots'
  if (value === undefined) problems.add(path, 'is required')
  else problems.add(path, rule, value)
  return ''
}

export function isLabel(text: string): boolean {
  return LABEL.test(text)
}

function refuseUnknownAnnotations(
  annotations: ReadonlyMap<string, string>,
  path: string,
  problems: Problems,
  known: readonly string[],
): void {
  const strange = [...annotations.keys()].filter(
    (key) => key.startsWith(OWN_PREFIX) && !known.includes(key),
  )
  const here = known.length === 0 ? 'this kind has none' : `known here: ${known.join(', ')}`
  for (const key of strange) problems.add(join(path, key), `is not a known annotation; ${here}`)
}
