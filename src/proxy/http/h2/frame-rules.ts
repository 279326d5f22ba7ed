// What of a frame can be judged from its head alone (RFC 9113 section 6): its length, and whether it is about a stream.
//
// All of these end the connection. What may come in which state of a stream is left to the connection.

import { Flag, FrameType, H2Error } from './protocol.ts'
import { SETTING_SIZE } from './settings.ts'

export function frameError(type: number, flags: number, id: number, length: number): H2Error {
  switch (type) {
    case FrameType.data:
    case FrameType.headers:
    case FrameType.continuation:
      return id === 0 ? H2Error.protocol : H2Error.none
    case FrameType.priority:
      return id === 0 ? H2Error.protocol : H2Error.none
    case FrameType.rstStream:
      return id === 0 ? H2Error.protocol : exactly(length, 4)
    case FrameType.settings:
      if (id !== 0) return H2Error.protocol
      if ((flags & Flag.ack) !== 0) return exactly(length, 0)
      return exactly(length % SETTING_SIZE, 0)
    case FrameType.pushPromise:
      // Section 8.4: a client never sends it, and a server that is told not to neither.
      return H2Error.protocol
    case FrameType.ping:
      return id === 0 ? exactly(length, 8) : H2Error.protocol
    case FrameType.goaway:
      if (id !== 0) return H2Error.protocol
      return length < 8 ? H2Error.frameSize : H2Error.none
    case FrameType.windowUpdate:
      return exactly(length, 4)
    default:
      return H2Error.none
  }
}

function exactly(length: number, wanted: number): H2Error {
  return length === wanted ? H2Error.none : H2Error.frameSize
}
