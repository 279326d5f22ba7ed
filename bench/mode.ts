// The ways a proxy can carry traffic, and so the parts of this benchmark.

export const MODES = ['l4', 'l7', 'h2'] as const
export type Mode = (typeof MODES)[number]

/** By mode, what a proxy of the field calls it. */
export const PEER_MODES: Readonly<Record<Mode, string>> = { l4: 'tcp', l7: 'http', h2: 'http' }

/** By mode, what ours calls it. */
export const OWN_MODES: Readonly<Record<Mode, string>> = { l4: 'l4', l7: 'l7', h2: 'l7' }

export type Wire = 'http1' | 'http2'

/** What the client speaks to a proxy, and the proxy to the backend. */
export interface Wires {
  readonly client: Wire
  readonly server: Wire
}
