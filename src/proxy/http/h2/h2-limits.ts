// How much of an HTTP/2 connection is taken in, and how much nuisance, before it is ended.
//
// Each bounds memory or work that a peer can cause. What a violation is answered with is left to whoever counts it.

export interface H2Limits {
  /** Streams that a client may have open at once (SETTINGS_MAX_CONCURRENT_STREAMS). */
  readonly maxConcurrentStreams: number
  /** Bytes of a body that are taken for a stream before they could be passed on (SETTINGS_INITIAL_WINDOW_SIZE). */
  readonly streamWindow: number
  /** Bytes for all streams of a connection together: credited as they come as long as no more than this is parked. */
  readonly connectionWindow: number
  /** The table that a peer's header compression may use (SETTINGS_HEADER_TABLE_SIZE), and the most that ours does. */
  readonly headerTableSize: number
  /** Bytes of a header list, each field with 32 on top (SETTINGS_MAX_HEADER_LIST_SIZE). */
  readonly maxHeaderListSize: number
  /** Fields of a header list, cookie crumbs and such as are refused included. */
  readonly maxHeaderFields: number
  /** CONTINUATION frames behind one HEADERS. */
  readonly maxContinuations: number
  /** Frames a second that carry nothing: PING, SETTINGS, PRIORITY, empty DATA, unknown ones, WINDOW_UPDATE beyond DATA. */
  readonly maxControlFrames: number
  /** Parameters of one SETTINGS frame. */
  readonly maxSettings: number
  /** Of the streams opened in a second, the share that a client may reset before they are answered; from minResets on. */
  readonly maxResetShare: number
  readonly minResets: number
  /** Streams a second that we had to reset because the peer broke the rules on them. */
  readonly maxFaults: number
  /** Bytes of answers to control frames that wait because the peer does not read. */
  readonly maxControlQueue: number
  /** Milliseconds within which a stream whose peer holds back its window must let a kibibyte through. */
  readonly stallTimeout: number
  /** Milliseconds of silence, with streams open, after which a PING is sent, and that its answer may take; 0 for never. */
  readonly pingInterval: number
  readonly pingTimeout: number
  /** Milliseconds that the peer has to acknowledge our SETTINGS (RFC 9113 section 6.5.3). */
  readonly settingsTimeout: number
}

export const DEFAULT_H2_LIMITS: H2Limits = {
  maxConcurrentStreams: 1000,
  streamWindow: 65_535,
  connectionWindow: 1_048_576,
  headerTableSize: 4096,
  maxHeaderListSize: 64 * 1024,
  maxHeaderFields: 100,
  maxContinuations: 8,
  maxControlFrames: 1000,
  maxSettings: 32,
  maxResetShare: 0.5,
  minResets: 500,
  maxFaults: 100,
  maxControlQueue: 64 * 1024,
  stallTimeout: 300_000,
  pingInterval: 0,
  pingTimeout: 20_000,
  settingsTimeout: 10_000,
}

/** What was exceeded, as metrics and logs name it. */
export type H2LimitName =
  | 'reset-share'
  | 'faults'
  | 'continuations'
  | 'header-list'
  | 'control-frames'
  | 'settings'
  | 'control-queue'
  | 'stalled-stream'
  | 'ping-timeout'
  | 'settings-timeout'
