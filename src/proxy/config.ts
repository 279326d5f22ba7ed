// The configuration of `underpass proxy`: a YAML file and environment variables into Settings.
//
// A variable wins over the file, the file over the default; all three go through the same readers, and every problem
// is noted with the key's path in the file or the variable's name. Which keys there are stands in settings-keys.ts.
// Whether manifests exist, and whether an address can be listened on, is found out by those who use them.

import { dirname, resolve } from 'node:path'
import { type DurationRange, type Millis, readDuration } from '../lib/duration.ts'
import { LOG_LEVELS } from '../lib/log.ts'
import type { Problems } from '../lib/problems.ts'
import { item, join, readChoice, readInteger, readNumber, readString } from '../lib/shape.ts'
import { readTextFile } from '../lib/text-file.ts'
import { readConcurrency } from './config-concurrency.ts'
import { readHttp2 } from './config-http2.ts'
import {
  listensNowhere,
  type Place,
  readAdmin,
  readInboundListeners,
  readListenAddress,
  readOutboundListeners,
  readServiceName,
  refuseLoops,
  refuseOverlaps,
} from './config-listeners.ts'
import { type ConfigFile, type Environment, type Given, Sources } from './config-sources.ts'
import { readTracingEndpoint } from './config-telemetry.ts'
import type { Settings } from './settings.ts'

const MAX_FILE_BYTES = 1_048_576
const MAX_CONNECTIONS = 1_000_000
const MAX_WORKERS = 256
const OR_ZERO: DurationRange = { orZero: true }
/** The kernel counts in seconds, up to 32767. */
const KEEP_ALIVE: DurationRange = { min: 1000, max: 32_767_000, orZero: true }

/** Reads the file, if there is one, and the environment. After a problem the settings must not be used. */
export async function loadSettings(
  path: string | undefined,
  env: Environment,
  problems: Problems,
): Promise<Settings> {
  if (path === undefined) return readSettings(undefined, env, problems)
  const text = await readTextFile(path, MAX_FILE_BYTES, problems)
  return readSettings(text === undefined ? undefined : { name: path, text }, env, problems)
}

/** As `loadSettings`, with the file's text at hand. */
export function readSettings(
  file: ConfigFile | undefined,
  env: Environment,
  problems: Problems,
): Settings {
  const reader = new Reader(new Sources(file, env, problems), problems)
  refuseWhatIsLater(reader)
  const settings: Settings = {
    mode: readChoice(...reader.at('mode'), ['l4', 'l7']),
    workers: readInteger(...reader.at('workers'), { min: 1, max: MAX_WORKERS }),
    admin: readAdmin(...reader.at('admin')),
    metrics: readListenAddress(...reader.at('metrics')),
    outbound: {
      transparent: readListenAddress(...reader.at('outbound.transparent')),
      listeners: readOutboundListeners(
        ...reader.at('outbound.listeners'),
        folderOf(reader.given('outbound.listeners'), file),
      ),
      connectTimeout: reader.duration('outbound.timeouts.connect'),
      idleTimeout: reader.duration('outbound.timeouts.idle', OR_ZERO),
    },
    inbound: {
      transparent: readListenAddress(...reader.at('inbound.transparent')),
      listeners: readInboundListeners(
        ...reader.at('inbound.listeners'),
        folderOf(reader.given('inbound.listeners'), file),
      ),
      connectTimeout: reader.duration('inbound.timeouts.connect'),
      idleTimeout: reader.duration('inbound.timeouts.idle', OR_ZERO),
      concurrency: readConcurrency((key) => reader.at(key)),
    },
    http2: readHttp2((key) => reader.at(key)),
    discovery: { files: readFilesPath(reader, file) },
    sockets: readChoice(...reader.at('sockets'), ['auto', 'streams']),
    egress: readChoice(...reader.at('egress'), ['allow', 'deny']),
    maxConnections: readInteger(...reader.at('maxConnections'), { min: 1, max: MAX_CONNECTIONS }),
    keepAlive: reader.duration('keepAlive', KEEP_ALIVE),
    drainGrace: reader.duration('drain.grace', OR_ZERO),
    logLevel: readChoice(...reader.at('log.level'), LOG_LEVELS),
    ...readTelemetry(reader),
  }
  // Lists that were refused are shorter than they stand there: what they say together is not judged then.
  if (!problems.any) checkTogether(settings, reader, file, problems)
  return settings
}

function readTelemetry(reader: Reader): Pick<Settings, 'workload' | 'accessLog' | 'tracing'> {
  const { value } = reader.given('workload')
  return {
    workload: value === undefined ? '' : readServiceName(...reader.at('workload')),
    accessLog: readChoice(...reader.at('accessLog'), ['off', 'json']),
    tracing: {
      endpoint: readTracingEndpoint(...reader.at('tracing.endpoint')),
      sample: readNumber(...reader.at('tracing.sample'), { min: 0, max: 1, fallback: 0 }),
    },
  }
}

/** The values of the sources, with their paths, in the order that readers take them. */
class Reader {
  readonly #sources: Sources
  readonly #problems: Problems

  constructor(sources: Sources, problems: Problems) {
    this.#sources = sources
    this.#problems = problems
  }

  given(key: string): Given {
    return this.#sources.get(key)
  }

  at(key: string): [value: unknown, path: string, problems: Problems] {
    const { value, path } = this.given(key)
    return [value, path, this.#problems]
  }

  duration(key: string, range: DurationRange = {}): Millis {
    return readDuration(...this.at(key), 0, range)
  }

  refuse(key: string, message: string): void {
    this.#problems.add(this.given(key).path, message)
  }
}

/** Keys that are known and whose other values come with a later version. */
function refuseWhatIsLater(reader: Reader): void {
  if (readListenAddress(...reader.at('inbound.mesh')) !== undefined) {
    reader.refuse('inbound.mesh', 'needs mTLS, which this version does not have')
  }
  if (reader.given('discovery.control').value !== undefined) {
    reader.refuse('discovery.control', 'needs a control plane, which this version does not have')
  }
}

/** An absolute path, so that nothing changes with the working directory. */
function readFilesPath(reader: Reader, file: ConfigFile | undefined): string | undefined {
  const given = reader.given('discovery.files')
  if (given.value === undefined) return undefined
  const path = readString(...reader.at('discovery.files'))
  return path === '' ? undefined : resolve(folderOf(given, file), path)
}

/** What paths in a value are relative to: the file that it stands in, or the working directory. */
function folderOf({ from }: Given, file: ConfigFile | undefined): string {
  return from === 'file' && file !== undefined ? resolve(dirname(file.name)) : resolve()
}

function checkTogether(
  settings: Settings,
  reader: Reader,
  file: ConfigFile | undefined,
  problems: Problems,
): void {
  const places = placesOf(settings, reader)
  refuseOverlaps(places, problems)
  refuseLoops(targetsOf(settings, reader), places, problems)
  if (settings.outbound.listeners.length > 0 && settings.discovery.files === undefined) {
    reader.refuse('outbound.listeners', 'need discovery.files, which says where the Services are')
  }
  if (listensNowhere(settings)) {
    const keys = ['transparent', 'listeners'].flatMap((key) => [
      `outbound.${key}`,
      `inbound.${key}`,
    ])
    problems.add(file?.name ?? '', `nothing to listen on: give at least one of ${keys.join(', ')}`)
  }
}

/** Every address that is listened on. */
function placesOf({ admin, metrics, outbound, inbound }: Settings, reader: Reader): Place[] {
  const places: Place[] = []
  const singles = {
    admin,
    metrics,
    'outbound.transparent': outbound.transparent,
    'inbound.transparent': inbound.transparent,
  }
  for (const [key, address] of Object.entries(singles)) {
    if (address !== undefined) places.push({ path: reader.given(key).path, address })
  }
  const lists = { 'outbound.listeners': outbound.listeners, 'inbound.listeners': inbound.listeners }
  for (const [key, listeners] of Object.entries(lists)) {
    for (const [index, { address }] of listeners.entries()) {
      places.push({ path: join(item(reader.given(key).path, index), 'address'), address })
    }
  }
  return places
}

function targetsOf({ inbound }: Settings, reader: Reader): Place[] {
  const { path } = reader.given('inbound.listeners')
  return inbound.listeners.map(({ target }, index) => ({
    path: join(item(path, index), 'target'),
    address: target,
  }))
}
