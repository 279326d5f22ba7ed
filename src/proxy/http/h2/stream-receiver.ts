// Who is told what happens on one HTTP/2 stream: the side of an exchange that stands on it.

import type { Head } from '../head.ts'
import type { H2Stream } from './h2-stream.ts'

/** Why a stream is over before both of its messages are. */
export interface StreamReset {
  /** An error code of RFC 9113 section 7; a peer may have sent one that it does not have. */
  readonly code: number
  /** The peer reset it, we did because it broke the rules, or the connection is lost. */
  readonly by: 'peer' | 'us' | 'connection'
  /** The peer says, or the protocol does, that nobody has acted on the request (RFC 9113 section 8.7). */
  readonly isUnprocessed: boolean
  /** What the log says: the name of the code, of the rule that was broken, or of the errno. */
  readonly details: string
}

export interface StreamReceiver {
  /** A head, accepted: a request's; on a client's side first interim responses', if any, then the response's. */
  onHead(stream: H2Stream, head: Head): void
  /**
   * Everything that one read brought for this stream was found sound: what there is of the body is taken by
   * `stream.giveTo`, now or later. `stream.remoteEnded` says whether that is all of it, `stream.trailers` what
   * followed it.
   */
  onRead(stream: H2Stream): void
  /** What was queued has left: more is wanted. */
  onWritable(stream: H2Stream): void
  /**
   * Nothing follows, and what was queued is dropped. A request that was refused has had no `onHead`. What can still be
   * taken is a message that is complete (`stream.remoteEnded`), and what there is of a response that we did not refuse.
   */
  onReset(stream: H2Stream, reset: StreamReset): void
}

/** What a stream has before anybody takes it. */
export const NO_RECEIVER: StreamReceiver = {
  onHead: () => undefined,
  onRead: () => undefined,
  onWritable: () => undefined,
  onReset: () => undefined,
}
