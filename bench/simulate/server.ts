// What a request is sent to: an application that does the work, or a pod whose sidecar stands before one.

import type { Millis } from '../../src/lib/duration.ts'
import type { Message } from './message.ts'

/** One request at a server. */
export interface Job {
  readonly message: Message
  /** Nobody waits for the answer any more. */
  isLeft: boolean
  /** Once, unless it is broken or left. */
  answered(status: number): void
  /** The connection broke before there was an answer. */
  broken(): void
}

/** Told when all connections of a server break at once. */
export interface Watcher {
  connectionsBroken(): void
}

export interface Server {
  /** One way to it. */
  readonly distance: Millis
  /** Connections to it are accepted. */
  readonly isListening: boolean
  watch(watcher: Watcher): void
  take(job: Job): void
  /** The client has gone: `job.isLeft` is set. */
  left(job: Job): void
}
