// The two ways a proxy can carry traffic, and so the two halves of this benchmark.

export const MODES = ['l4', 'l7'] as const
export type Mode = (typeof MODES)[number]

/** By mode, what a proxy of the field calls it. */
export const PEER_MODES: Readonly<Record<Mode, string>> = { l4: 'tcp', l7: 'http' }
