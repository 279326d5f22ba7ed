// Where each key of the configuration has its value from: its environment variable, the file, or its default.
//
// Unknown keys and unknown `UNDERPASS_` variables are problems, since each is most likely a misspelt one. What a value
// must look like is left to config.ts.

import type { Problems } from '../lib/problems.ts'
import { join, readFields } from '../lib/shape.ts'
import { readYamlValue } from '../lib/yaml.ts'
import { SETTINGS_KEYS, type SettingsKey } from './settings-keys.ts'

export interface ConfigFile {
  /** As the person gave it: problems name it so. */
  readonly name: string
  readonly text: string
}

export type Environment = Readonly<Record<string, string | undefined>>

export interface Given {
  readonly value: unknown
  /** For messages: the path in the file, or the variable's name. */
  readonly path: string
  readonly from: 'file' | 'environment' | 'default'
}

const OWN_PREFIX = 'UNDERPASS_'
/** Variables of other commands. */
const RESERVED = /^UNDERPASS_(?:INIT_.*|WORLD)$/
/**
 * Kubernetes gives every container such variables for each Service of its namespace, so that a Service named
 * `underpass-control` makes `UNDERPASS_CONTROL_SERVICE_HOST`: not ours, and no reason to refuse to start.
 */
const SERVICE_LINK =
  /_SERVICE_HOST$|_SERVICE_PORT(?:_[A-Z0-9_]+)?$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/
const SERVICE_LINK_PORT = /^(?:tcp|udp|sctp):\/\//

/** Looks a key up in the environment, then in the file, then in the defaults. */
export class Sources {
  readonly #given: ReadonlyMap<string, Given>

  constructor(file: ConfigFile | undefined, env: Environment, problems: Problems) {
    const given = new Map<string, Given>()
    for (const { key, fallback } of SETTINGS_KEYS) {
      given.set(key, { value: fallback, path: key, from: 'default' })
    }
    if (file !== undefined) {
      const value = readYamlValue(file.text, file.name, problems)
      readLevel(value, '', `${file.name} `, problems, given)
    }
    readEnvironment(env, problems, given)
    this.#given = given
  }

  get(key: string): Given {
    return this.#given.get(key) ?? { value: undefined, path: key, from: 'default' }
  }
}

/** Reads one level of the file: the keys below `prefix`. */
function readLevel(
  value: unknown,
  prefix: string,
  path: string,
  problems: Problems,
  given: Map<string, Given>,
): void {
  const known = childrenOf(prefix)
  for (const [name, field] of readFields(value, path, known, problems)) {
    if (!known.includes(name)) continue
    const key = prefix === '' ? name : `${prefix}.${name}`
    const fieldPath = join(path, name)
    if (given.has(key)) given.set(key, { value: field, path: fieldPath, from: 'file' })
    else readLevel(field, key, fieldPath, problems, given)
  }
}

/** The names of keys directly below `prefix`. */
function childrenOf(prefix: string): string[] {
  const start = prefix === '' ? '' : `${prefix}.`
  const names = SETTINGS_KEYS.filter(({ key }) => key.startsWith(start)).map(
    ({ key }) => key.slice(start.length).split('.')[0] ?? '',
  )
  return [...new Set(names)]
}

function readEnvironment(env: Environment, problems: Problems, given: Map<string, Given>): void {
  for (const { key, env: name, form } of SETTINGS_KEYS) {
    const text = env[name]
    // An empty variable counts as absent: Compose and shells pass those on for what nobody set.
    if (text === undefined || text.trim() === '') continue
    given.set(key, {
      value: valueOfText(text, name, form, problems),
      path: name,
      from: 'environment',
    })
  }
  for (const [name, text = ''] of Object.entries(env)) {
    if (!name.startsWith(OWN_PREFIX) || RESERVED.test(name)) continue
    if (SETTINGS_KEYS.some((known) => known.env === name) || isServiceLink(name, text)) continue
    problems.add(name, 'is not a known variable; the keys of the configuration have one each')
  }
}

function isServiceLink(name: string, text: string): boolean {
  return SERVICE_LINK.test(name) || (name.endsWith('_PORT') && SERVICE_LINK_PORT.test(text))
}

function valueOfText(
  text: string,
  name: string,
  form: SettingsKey['form'],
  problems: Problems,
): unknown {
  if (form === 'yaml') return readYamlValue(text, name, problems)
  const trimmed = text.trim()
  return form === 'number' && /^\d{1,15}(?:\.\d{1,15})?$/.test(trimmed) ? Number(trimmed) : trimmed
}
