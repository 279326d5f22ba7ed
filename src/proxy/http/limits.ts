// How much of a message the codec takes in before it refuses. Bodies have no limit: they pass through.
//
// Every limit bounds memory (a head is kept until it is complete) or work (fields and connection options are
// looked through). Which limits apply to whom is left to the configuration.

export interface Limits {
  /** Bytes of the start line with its CRLF. RFC 9112 section 3 asks for 8000 at least. */
  readonly startLine: number
  /** Bytes of one field line with its CRLF. */
  readonly field: number
  /** Bytes of a whole head, start line and the final CRLF included. */
  readonly head: number
  /** Field lines in a head, and in a trailer section. */
  readonly fields: number
  /** Bytes of one chunk's extensions, from the first semicolon to the line's end. */
  readonly chunkExtension: number
  /** Bytes of a trailer section with its final CRLF. */
  readonly trailer: number
}

export const DEFAULT_LIMITS: Limits = {
  startLine: 8 * 1024,
  field: 16 * 1024,
  head: 64 * 1024,
  fields: 100,
  chunkExtension: 1024,
  trailer: 8 * 1024,
}
