// The keys of the proxy's configuration: one table that parsing, the environment's variables and the documentation
// are made from, so that they cannot disagree.
//
// How a value is read is left to config.ts.

import { formatDuration } from '../lib/duration.ts'
import { DEFAULT_H2_LIMITS } from './http/h2/h2-limits.ts'

export interface SettingsKey {
  /** Where it stands in the file: `inbound.timeouts.idle`. */
  readonly key: string
  /** The environment variable that wins over the file. */
  readonly env: string
  /** What a variable's text is before it is checked: taken as it is, as a number, or as YAML. */
  readonly form: 'text' | 'number' | 'yaml'
  /** As it would be written in the file; undefined for nothing. */
  readonly fallback: string | number | undefined
  readonly meaning: string
}

const ADDRESS = '`ip:port`, `[::]:port` for both families, or `off`'

export const SETTINGS_KEYS: readonly SettingsKey[] = [
  key(
    'mode',
    'text',
    'l7',
    '`l7`: balance requests where HTTP/1.1 or HTTP/2 is spoken, connections elsewhere; `l4`: connections everywhere. For Services whose policy does not say',
  ),
  key(
    'workers',
    'number',
    1,
    'Processes that share the listeners, each with its part of `maxConnections`; above 1 one more process leads them',
  ),
  key('admin', 'text', '127.0.0.1:15000', 'Admin and metrics; a loopback `ip:port`, or `off`'),
  key(
    'metrics',
    'text',
    'off',
    'Serves `/live`, `/ready` and `/metrics` to probes and Prometheus: an address such as `0.0.0.0:15020`, or `off`',
  ),
  key('outbound.transparent', 'text', 'off', `Takes redirected outbound connections: ${ADDRESS}`),
  key(
    'outbound.listeners',
    'yaml',
    undefined,
    'Explicit listeners without redirects: a list of `{ address, service, port }`, and `tls` for [TLS](#tls)',
  ),
  key(
    'outbound.timeouts.connect',
    'text',
    '10s',
    'How long a destination outside the mesh may take to accept; those inside have a TrafficPolicy',
  ),
  key(
    'outbound.timeouts.idle',
    'text',
    '1h',
    'Ends a connection to a destination outside the mesh on which no byte moved for so long; `0s` for never',
  ),
  key('inbound.transparent', 'text', 'off', `Takes redirected inbound connections: ${ADDRESS}`),
  key(
    'inbound.mesh',
    'text',
    'off',
    'Takes connections from other sidecars (mTLS); not in this version',
  ),
  key(
    'inbound.listeners',
    'yaml',
    undefined,
    'Explicit inbound listeners: a list of `{ address, target }`, and `tls` for [TLS](#tls)',
  ),
  key('inbound.timeouts.connect', 'text', '1s', 'How long the application may take to accept'),
  key(
    'inbound.timeouts.idle',
    'text',
    '1h',
    'Ends a connection to the application on which no byte moved for so long; `0s` for never',
  ),
  key(
    'inbound.concurrency.limit',
    'number',
    'off',
    'Requests that the application works on at once, for each of its ports; others wait. Several workers divide it evenly, rounded up; or `off`',
  ),
  key(
    'inbound.concurrency.pending',
    'number',
    1024,
    'Requests that wait for the application at most, of each port and in each worker; more are refused (`overloaded`)',
  ),
  key(
    'inbound.concurrency.adaptive',
    'text',
    'off',
    '`gradient`: the limit follows the latency of the application, from `min` to `limit` (1000 where that is `off`); or `off`',
  ),
  key('inbound.concurrency.min', 'number', 4, 'The least that an adaptive limit goes down to'),
  http2Key(
    'maxConcurrentStreams',
    'Streams that a client may have open at once on an HTTP/2 connection',
  ),
  http2Key(
    'streamWindow',
    'Bytes of a body that are taken of a stream before they could be passed on',
  ),
  http2Key('connectionWindow', 'Bytes that are taken so of all streams of a connection together'),
  http2Key(
    'headerTableSize',
    'Bytes of the table that header compression may use, in either direction',
  ),
  http2Key('maxHeaderListSize', 'Bytes of a header list, each field with 32 on top'),
  http2Key('maxHeaderFields', 'Fields of a header list, those included that are refused'),
  http2Key('maxContinuations', 'CONTINUATION frames behind one HEADERS'),
  http2Key(
    'maxControlFrames',
    'Frames a second that carry nothing: PING, PRIORITY, WINDOW_UPDATE and empty DATA beyond one for each frame that does, and all SETTINGS',
  ),
  http2Key('maxSettings', 'Parameters of one SETTINGS frame'),
  http2Key(
    'maxResetShare',
    'Share of its streams, `0` to `1`, that a client may reset as soon as they are open; judged from `minResets` on',
  ),
  http2Key('minResets', 'Such resets on a connection, below which their share is not judged'),
  http2Key(
    'maxFaults',
    'Streams a second that had to be reset because the peer broke the rules on them',
  ),
  http2Key(
    'maxControlQueue',
    'Bytes of answers to control frames that wait for a peer which does not read',
  ),
  http2Key(
    'stallTimeout',
    'How long a stream may take to let 1 KiB through while its peer holds back its window; `0s` for ever',
  ),
  http2Key(
    'pingInterval',
    'Silence, with streams open, after which a PING is sent; `0s` for never',
  ),
  http2Key('pingTimeout', 'How long the answer to that PING may take'),
  http2Key('settingsTimeout', 'How long a peer may take to acknowledge SETTINGS'),
  key(
    'discovery.files',
    'text',
    undefined,
    "A manifest file or a folder of them, watched; relative to the configuration's folder, " +
      'in the variable to the working directory',
  ),
  key('discovery.control', 'text', undefined, 'Address of a control plane; not in this version'),
  key(
    'sockets',
    'text',
    'auto',
    '`auto`: libuv handles where this Node.js has them as known; `streams`: always public sockets, at a higher cost',
  ),
  key('egress', 'text', 'allow', 'Destinations outside the mesh: `allow` or `deny`'),
  key(
    'maxConnections',
    'number',
    20_000,
    'Connections open at once; more are refused. Several workers divide it evenly, rounded up',
  ),
  key(
    'keepAlive',
    'text',
    '60s',
    'TCP keepalive on both sides: first probe after so long in silence; `0s` for none',
  ),
  key('drain.grace', 'text', '30s', 'How long connections may go on after SIGTERM or `POST /quit`'),
  key('log.level', 'text', 'info', '`silent`, `error`, `warn`, `info` or `debug`'),
  key(
    'workload',
    'text',
    undefined,
    'Who this proxy stands beside, such as `web.shop`: the `source` of outbound requests in metrics, the service in traces',
  ),
  key('accessLog', 'text', 'off', '`json`: one line in the log for every HTTP request; or `off`'),
  key(
    'tracing.endpoint',
    'text',
    'off',
    'Sends spans to a collector by OTLP over HTTP: a URL such as `http://127.0.0.1:4318`, or `off`',
  ),
  key(
    'tracing.sample',
    'number',
    0.01,
    'Share of requests to trace, `0` to `1`, of those that come without a `traceparent`; the others follow its flag',
  ),
]

/** The table as the README has it, in Markdown. */
export function settingsTable(): string {
  const rows = SETTINGS_KEYS.map(({ key, env, fallback, meaning }) => {
    const shown = fallback === undefined ? 'none' : `\`${fallback}\``
    return `| \`${key}\` | \`${env}\` | ${shown} | ${meaning} |`
  })
  return ['| key | variable | default | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

/** `inbound.timeouts.idle` as `UNDERPASS_INBOUND_TIMEOUTS_IDLE`. */
function variableOf(key: string): string {
  const words = key.replace(/\./g, '_').replace(/[A-Z]/g, (letter) => `_${letter}`)
  return `UNDERPASS_${words.toUpperCase()}`
}

/** The default is the one of the codec, so that it stands in one place. */
function http2Key(name: keyof typeof DEFAULT_H2_LIMITS, meaning: string): SettingsKey {
  const value = DEFAULT_H2_LIMITS[name]
  return /(?:Timeout|Interval)$/.test(name)
    ? key(`http2.${name}`, 'text', formatDuration(value), meaning)
    : key(`http2.${name}`, 'number', value, meaning)
}

function key(
  name: string,
  form: SettingsKey['form'],
  fallback: SettingsKey['fallback'],
  meaning: string,
): SettingsKey {
  return { key: name, env: variableOf(name), form, fallback, meaning }
}
