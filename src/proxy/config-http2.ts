// The settings of what is taken of an HTTP/2 connection before it is ended.
//
// Each key is a field of H2Limits. What cannot be switched off by a large number has a range that keeps it a limit.

import { type DurationRange, type Millis, readDuration } from '../lib/duration.ts'
import type { Problems } from '../lib/problems.ts'
import { readInteger, readNumber } from '../lib/shape.ts'
import { DEFAULT_H2_LIMITS, type H2Limits } from './http/h2/h2-limits.ts'
import { FIRST_WINDOW, MOST_WINDOW } from './http/h2/protocol.ts'

const KIB = 1024
const MIB = 1024 * KIB
const MOST = 1_000_000
/** Less would have a window update for every frame (RFC 9113 section 4.2: peers may send 16 KiB in one). */
const LEAST_WINDOW = 16 * KIB
/** They are looked at once a second. */
const TIMEOUT: DurationRange = { min: 1000 }

type Place = readonly [value: unknown, path: string, problems: Problems]
type Range = readonly [min: number, max: number]

/** The whole numbers among the keys; RFC 9113 sections 6.5.2 and 6.9.1 have the ends of the windows' ranges. */
const RANGES = {
  maxConcurrentStreams: [1, 100_000],
  streamWindow: [LEAST_WINDOW, MOST_WINDOW],
  connectionWindow: [FIRST_WINDOW, MOST_WINDOW],
  headerTableSize: [0, 64 * KIB],
  maxHeaderListSize: [KIB, MIB],
  maxHeaderFields: [1, 10_000],
  maxContinuations: [0, KIB],
  maxControlFrames: [10, MOST],
  maxSettings: [6, KIB],
  minResets: [1, MOST],
  maxFaults: [1, MOST],
  maxControlQueue: [KIB, 16 * MIB],
} as const satisfies Readonly<Partial<Record<keyof H2Limits, Range>>>

/** `at` finds a key's value. */
export function readHttp2(at: (key: string) => Place): H2Limits {
  const size = (key: keyof typeof RANGES): number => {
    const [min, max] = RANGES[key]
    return readInteger(...at(`http2.${key}`), { min, max })
  }
  const duration = (key: keyof H2Limits, range: DurationRange): Millis =>
    readDuration(...at(`http2.${key}`), DEFAULT_H2_LIMITS[key], range)
  const limits: H2Limits = {
    maxConcurrentStreams: size('maxConcurrentStreams'),
    streamWindow: size('streamWindow'),
    connectionWindow: size('connectionWindow'),
    headerTableSize: size('headerTableSize'),
    maxHeaderListSize: size('maxHeaderListSize'),
    maxHeaderFields: size('maxHeaderFields'),
    maxContinuations: size('maxContinuations'),
    maxControlFrames: size('maxControlFrames'),
    maxSettings: size('maxSettings'),
    maxResetShare: readNumber(...at('http2.maxResetShare'), {
      min: 0,
      max: 1,
      fallback: DEFAULT_H2_LIMITS.maxResetShare,
    }),
    minResets: size('minResets'),
    maxFaults: size('maxFaults'),
    maxControlQueue: size('maxControlQueue'),
    stallTimeout: duration('stallTimeout', { ...TIMEOUT, orZero: true }),
    pingInterval: duration('pingInterval', { ...TIMEOUT, orZero: true }),
    pingTimeout: duration('pingTimeout', TIMEOUT),
    settingsTimeout: duration('settingsTimeout', TIMEOUT),
  }
  refuseNarrowConnections(limits, at('http2.connectionWindow'))
  return limits
}

/** All streams together may not be allowed less than each of them. */
function refuseNarrowConnections(
  { streamWindow, connectionWindow }: H2Limits,
  [value, path, problems]: Place,
): void {
  if (problems.any || connectionWindow >= streamWindow) return
  problems.add(path, `must not be below streamWindow, ${streamWindow}`, value)
}
