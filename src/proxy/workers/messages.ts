// What a supervisor and its workers say to each other over the IPC channel between their processes.
//
// Both ends are the same version of the same program, one started by the other: messages are not checked. A bound
// TCP handle travels beside the message that answers `bind`.

import type { SocketAddress } from '../../lib/address.ts'
import type { Settings } from '../settings.ts'
import type { Mode } from '../stack/destination.ts'

/** What a worker can be asked for: the data of /metrics, the data of /endpoints. */
export type Question = 'figures' | 'endpoints'

export type ToWorker =
  | { readonly kind: 'start'; readonly settings: Settings }
  /** `errno` is empty if the handle comes with it. */
  | { readonly kind: 'bound'; readonly id: number; readonly errno: string }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  | { readonly kind: 'mode'; readonly mode: Mode }
  /** Accept nothing more, and stay. */
  | { readonly kind: 'drain' }
  /** Drain and end. */
  | { readonly kind: 'stop' }
  /** Reset every connection and end at once. */
  | { readonly kind: 'abort' }

export type FromWorker =
  /** `nth`: how often this worker has asked for this very address before; port 0 is another port each time. */
  | {
      readonly kind: 'bind'
      readonly id: number
      readonly address: SocketAddress
      readonly nth: number
    }
  | { readonly kind: 'ready' }
  /** The configuration or the manifests cannot be used; `message` is what a person is told. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
