// Small readers that turn an unknown value (parsed YAML or JSON) into a typed one, or note a problem and give
// back a fallback so that reading can go on.
//
// A schema library would do this too; the ones tried cost 10 MB of resident memory in every sidecar, which is
// a seventh of what a whole idle sidecar may take. What a value means is left to the callers.

import type { Problems } from './problems.ts'

export type Fields = ReadonlyMap<string, unknown>

const NO_FIELDS: Fields = new Map()

/** The fields of a mapping; any key that is not in `known` is a problem. */
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
  return fields
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

/** One of the given words, or `fallback` if absent. */
export function readChoice<const Word extends string>(
  value: unknown,
  path: string,
  problems: Problems,
  words: readonly Word[],
  fallback: Word,
): Word {
  if (value === undefined) return fallback
  const found = words.find((word) => word === value)
  if (found !== undefined) return found
  problems.add(path, `must be one of ${words.join(', ')}`, value)
  return fallback
}

/** The path of a key below `path`. */
export function join(path: string, key: string): string {
  return path === '' ? key : path.endsWith(' ') ? `${path}${key}` : `${path}.${key}`
}
