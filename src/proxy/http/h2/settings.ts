// SETTINGS (RFC 9113 section 6.5): ours as they are sent, and the peer's as they are judged.
//
// What a change means for windows, tables and streams is left to the connection.

import type { H2Limits } from './h2-limits.ts'
import type { H2Output } from './h2-output.ts'
import {
  FIRST_TABLE_SIZE,
  FIRST_WINDOW,
  FrameType,
  H2Error,
  MOST_WINDOW,
  Setting,
} from './protocol.ts'

export type Role = 'client' | 'server'

export const SETTING_SIZE = 6
const LEAST_FRAME_SIZE = 16_384
const MOST_FRAME_SIZE = 16_777_215

/** Sends what differs from what every connection begins with. */
export function sendSettings(output: H2Output, role: Role, limits: H2Limits): void {
  const list: [id: number, value: number][] = []
  if (role === 'client') list.push([Setting.enablePush, 0])
  else list.push([Setting.maxConcurrentStreams, limits.maxConcurrentStreams])
  if (limits.streamWindow !== FIRST_WINDOW) {
    list.push([Setting.initialWindowSize, limits.streamWindow])
  }
  if (limits.headerTableSize !== FIRST_TABLE_SIZE) {
    list.push([Setting.headerTableSize, limits.headerTableSize])
  }
  list.push([Setting.maxHeaderListSize, limits.maxHeaderListSize])
  output.frame(FrameType.settings, 0, 0, list.length * SETTING_SIZE)
  for (const [id, value] of list) {
    output.short(id)
    output.number(value)
  }
}

/** Section 6.5.2: whether the peer may say that. `role` is ours. */
export function settingError(id: number, value: number, role: Role): H2Error {
  switch (id) {
    case Setting.enablePush:
      // A server must not send 1: we are asked for nothing by it, and would ask for nothing.
      return value > 1 || (role === 'client' && value === 1) ? H2Error.protocol : H2Error.none
    case Setting.initialWindowSize:
      return value > MOST_WINDOW ? H2Error.flowControl : H2Error.none
    case Setting.maxFrameSize:
      return value < LEAST_FRAME_SIZE || value > MOST_FRAME_SIZE ? H2Error.protocol : H2Error.none
    default:
      return H2Error.none
  }
}
