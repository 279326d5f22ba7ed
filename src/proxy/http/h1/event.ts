// What a reader found: one small integer for each call of `read`.
//
// A caller reads on, from `position`, until it is told `more` (all bytes are taken), `paused` or `refused`; it may
// also stop anywhere and go on later with the bytes that are left. To forward nothing of a message that one read
// shows to be wrong, it writes only when it has come to the end of the read.

export const Event = {
  /** Every byte is taken and nothing more is known. */
  more: 0,
  /** `head` is complete and accepted. */
  head: 1,
  /** A 1xx response is complete in `head`; the response proper is still to come. */
  interim: 2,
  /** The slice (`slice`, `sliceStart`, `sliceEnd`) belongs to the message's body. */
  body: 3,
  /** The message is over. The next byte, if any, is of the next message. */
  end: 4,
  /** What follows is for the caller: the bytes of a tunnel, or of one that is still to be granted. */
  paused: 5,
  /** The message is refused, for the reason in `refusal`. The reader says nothing else from now on. */
  refused: 6,
} as const

export type Event = (typeof Event)[keyof typeof Event]
