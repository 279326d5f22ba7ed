// The lines that say what this hop's connection is to be: made once, added to heads as they leave (RFC 9110 section
// 7.6.1). What decides between them is left to the two sides.

export const CLOSE_LINE: Buffer = Buffer.from('Connection: close\r\n')
/** HTTP/1.0 clients that asked for it must be told that it is granted (RFC 9112 section C.2.2). */
export const KEEP_ALIVE_LINE: Buffer = Buffer.from('Connection: keep-alive\r\n')
/** For content whose end only its codec knew (RFC 9112 section 7.1). */
export const CHUNKED_LINE: Buffer = Buffer.from('Transfer-Encoding: chunked\r\n')
export const UPGRADE_LINE: Buffer = Buffer.from('Connection: upgrade\r\n')
/** RFC 9110 section 10.1.4: TE is for one hop, and ours passes trailers on. */
export const TRAILERS_LINES: Buffer = Buffer.from('TE: trailers\r\nConnection: TE\r\n')
export const UPGRADE_TRAILERS_LINES: Buffer = Buffer.from(
  'TE: trailers\r\nConnection: TE, upgrade\r\n',
)
