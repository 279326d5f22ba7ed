// The header blocks of the benchmark's own ends (RFC 7541), as a usual encoder would make them: what is sent again
// and again stands in the table of the connection after its first time, and is one byte from then on.

import { ANSWER_BODY } from './protocol.ts'

/** `:status: 200`, entry 8 of the static table. */
export const STATUS_200 = 0x88

/** Names in the static table. */
const NAMES = { authority: 1, path: 4, contentLength: 28, contentType: 31 } as const
const INDEXED = 0x80
/** Literal, to be put into the table; without, not to be. */
const TO_TABLE = 0x40
const FIRST_OF_TABLE = 62

const GET = 0x82
const HTTP = 0x86
const ROOT = 0x84

/** The first block of a connection and all others. */
export interface Blocks {
  readonly first: Buffer
  readonly more: Buffer
}

/** A GET by the client. */
export function requestBlocks(path: string): Blocks {
  const target = path === '/' ? Buffer.of(ROOT) : literal(NAMES.path, path)
  const line = Buffer.concat([Buffer.of(GET, HTTP), target])
  const authority = literal(TO_TABLE | NAMES.authority, 'bench.default')
  return {
    first: Buffer.concat([line, authority]),
    more: Buffer.concat([line, Buffer.of(INDEXED | FIRST_OF_TABLE)]),
  }
}

/** The answer to it by the server. */
export const RESPONSE: Blocks = {
  first: Buffer.concat([
    Buffer.of(STATUS_200),
    literal(TO_TABLE | NAMES.contentType, 'text/plain'),
    literal(TO_TABLE | NAMES.contentLength, String(ANSWER_BODY.length)),
  ]),
  // The latest comes first.
  more: Buffer.of(STATUS_200, INDEXED | (FIRST_OF_TABLE + 1), INDEXED | FIRST_OF_TABLE),
}

/** Values here are far shorter than what takes a second byte for its length. */
function literal(name: number, value: string): Buffer {
  return Buffer.concat([Buffer.of(name, value.length), Buffer.from(value)])
}
