// The settings of logs and traces: who the pod is, and where spans are sent to.

import { type Problems, show } from '../lib/problems.ts'

const TRACES = '/v1/traces'

/** The whole URL that spans are sent to, or undefined for `off` and after a problem. */
export function readTracingEndpoint(
  value: unknown,
  path: string,
  problems: Problems,
): string | undefined {
  if (value === 'off') return undefined
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    problems.add(path, 'must be a URL like http://127.0.0.1:4318, or off', value)
    return undefined
  }
  if (url.username !== '' || url.password !== '') {
    // Not shown: the settings can be read at the admin port, and problems stand in logs.
    problems.add(
      path,
      'must not have a password in it; headers come from OTEL_EXPORTER_OTLP_HEADERS',
    )
    return undefined
  }
  if (url.search !== '' || url.hash !== '') {
    problems.add(
      path,
      `must have no query and no fragment, but found ${show(url.search + url.hash)}`,
    )
    return undefined
  }
  const base = url.pathname.replace(/\/+$/, '')
  return `${url.origin}${base.endsWith(TRACES) ? base : base + TRACES}`
}
