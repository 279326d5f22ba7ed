// Small readers that turn an unknown value (parsed YAML or JSON) into a typed one, or note a problem and give
// back a fallback so that reading can go on.
//
// A schema library would do this too; the ones tried cost 10 MB of resident memory in every sidecar, which is
// a seventh of what a whole idle sidecar may take. What a value means is left to the callers.

import type { Problems } from './problems.ts'

export type Fields = ReadonlyMap<string, unknown>

const NO_FIELDS: Fields = new Map()

/**
 * The fields of a mapping; any key that is not in `known` is a problem. A key without a value counts as absent, as
 * Kubernetes and most YAML readers have it.
 */
export function readFields(
  value: unknown,
  path: string,
  known: readonly string[],
  problems: Problems,
): Fields {
  const fields = readMap(value, path, problems)
  for (const key of fields.keys()) {
    if (!known.includes(key)) {
      problems.add(join(path, key), `is not a known key; known here: ${known.join(', ')}`)
    }
  }
  return new Map([...fields].filter(([, field]) => field !== null))
}

/** As `readFields`, for a mapping that must be there. */
export function readRequiredFields(
  value: unknown,
  path: string,
  known: readonly string[],
  problems: Problems,
): Fields {
  if (value === undefined || value === null) problems.add(path, 'is required')
  return readFields(value, path, known, problems)
}

/** The entries of a mapping with free keys; an empty one if absent. */
export function readMap(value: unknown, path: string, problems: Problems): Fields {
  if (value === undefined || value === null) return NO_FIELDS
  if (typeof value !== 'object' || Array.isArray(value)) {
    problems.add(path, 'must be a mapping', value)
    return NO_FIELDS
  }
  return new Map(Object.entries(value))
}

/** A mapping with free keys whose values are all text, as labels and annotations are; empty if absent. */
export function readTexts(
  value: unknown,
  path: string,
  problems: Problems,
): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const [key, text] of readMap(value, path, problems)) {
    if (typeof text === 'string') texts.set(key, text)
    else problems.add(join(path, key), 'must be text (numbers, true and false in quotes)', text)
  }
  return texts
}

/** The items of a list, an empty one if absent. */
export function readList(value: unknown, path: string, problems: Problems): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) {
    problems.add(path, 'must be a list', value)
    return []
  }
  return value
}

/** A string that is not empty, or `fallback` if absent; without a fallback it is required. */
export function readString(
  value: unknown,
  path: string,
  problems: Problems,
  fallback?: string,
): string {
  if (value === undefined && fallback !== undefined) return fallback
  if (typeof value === 'string' && value !== '') return value
  problems.add(
    path,
    value === undefined ? 'is required' : 'must be text that is not empty',
    ...(value === undefined ? ([] as []) : ([value] as [unknown])),
  )
  return fallback ?? ''
}

/** A whole number from `min` to `max`, or `fallback` if absent; without a fallback it is required. */
export function readInteger(
  value: unknown,
  path: string,
  problems: Problems,
  range: { readonly min: number; readonly max: number; readonly fallback?: number },
): number {
  if (value === undefined && range.fallback !== undefined) return range.fallback
  if (
    typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= range.min &&
    value <= range.max
  ) {
    return value
  }
  problems.add(path, `must be a whole number from ${range.min} to ${range.max}`, value)
  return range.fallback ?? range.min
}

/** A TCP port, 1 to 65535. */
export function readPort(value: unknown, path: string, problems: Problems): number {
  return readInteger(value, path, problems, { min: 1, max: 65535 })
}

/** True or false, or `fallback` if absent. */
export function readBoolean(
  value: unknown,
  path: string,
  problems: Problems,
  fallback: boolean,
): boolean {
  if (value === undefined) return fallback
  if (typeof value === 'boolean') return value
  problems.add(path, 'must be true or false', value)
  return fallback
}

/** One of the given words, or `fallback` if absent; without a fallback it is required. */
export function readChoice<const Word extends string>(
  value: unknown,
  path: string,
  problems: Problems,
  words: readonly [Word, ...Word[]],
  fallback?: Word,
): Word {
  if (value === undefined && fallback !== undefined) return fallback
  const found = words.find((word) => word === value)
  if (found !== undefined) return found
  if (value === undefined) problems.add(path, `is required: one of ${words.join(', ')}`)
  else problems.add(path, `must be one of ${words.join(', ')}`, value)
  return fallback ?? words[0]
}

/** A number from `min` to `max`, fractions included, or `fallback` if absent. */
export function readNumber(
  value: unknown,
  path: string,
  problems: Problems,
  range: { readonly min: number; readonly max: number; readonly fallback: number },
): number {
  if (value === undefined) return range.fallback
  if (typeof value === 'number' && value >= range.min && value <= range.max) return value
  problems.add(path, `must be a number from ${range.min} to ${range.max}`, value)
  return range.fallback
}

/** The path of an item of the list at `path`. */
export function item(path: string, index: number): string {
  return `${path}[${index}]`
}

/**
 * The path of a key below `path`: `spec.ports`. A path that ends in a space names a file or a document, and the key
 * stands after it: `shop.yaml#2 spec`. A key that is not a plain word is quoted: `metadata.labels["a.b/c"]`.
 */
export function join(path: string, key: string): string {
  if (!/^[\w-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`
  return path === '' || path.endsWith(' ') ? `${path}${key}` : `${path}.${key}`
}
