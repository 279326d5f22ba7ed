// Tells from a client's first bytes what it speaks: HTTP/1, HTTP/2, TLS, or something that is none of our business.
//
// A wrong guess costs differently each way. To hold back the bytes of a protocol that is not HTTP stalls it, maybe
// for ever, so `undecided` is said only while nothing but HTTP would go on from here. To let through what an HTTP
// server may take for a request leaves it uninspected, so a line that was clearly meant as one goes to the strict
// codec, which refuses it. That is a courtesy and no fence: a client that wants to be taken for something else can
// send its first byte alone. Where every request has to be inspected, the port is declared to be HTTP and nothing
// is detected. Collecting the pieces, and a server that speaks first, are left to the caller.

export const Spoken = {
  undecided: 0,
  http1: 1,
  http2: 2,
  tls: 3,
  opaque: 4,
} as const

export type Spoken = (typeof Spoken)[keyof typeof Spoken]

/**
 * With so many bytes there is always a decision. The longest thing to wait for is CONNECT with a host name, and no
 * name in DNS has more than 253 characters.
 */
export const MOST_UNDECIDED = 512

/** A longer first line is not looked at as a whole; the codec takes none either. */
const LONGEST_LINE = 8 * 1024

const HT = 0x09
const LF = 0x0a
const CR = 0x0d
const SP = 0x20
const COMMA = 0x2c
const DOT = 0x2e
const SLASH = 0x2f
const ZERO = 0x30
const NINE = 0x39
const CAPITAL_A = 0x41
const CAPITAL_Z = 0x5a

/** A TLS record of type handshake (RFC 8446 section 5.1), and the major version that all of them carry. */
const HANDSHAKE = 0x16
const TLS_MAJOR = 0x03

/** RFC 9113 section 4.1. */
const FRAME_HEADER = 9
const SETTINGS = 4
const SETTING_SIZE = 6

/** RFC 9113 section 3.4. */
const PREFACE = latin1('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/**
 * The methods in IANA's registry, and those of UPnP and caches. Only these may be waited for: with any token allowed,
 * every line protocol would wait. Each ends in the space that follows it.
 */
const METHODS: readonly Uint8Array[] = `GET POST PUT HEAD DELETE OPTIONS PATCH CONNECT TRACE
  ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF
  MKWORKSPACE MOVE ORDERPATCH PRI PROPFIND PROPPATCH QUERY REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK
  UPDATE UPDATEREDIRECTREF VERSION-CONTROL
  PURGE NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH`
  .split(/\s+/)
  .map((name) => latin1(`${name} `))
const CONNECT = latin1('CONNECT ')

/** Targets that show a request. RTSP and ICAP have `OPTIONS *` too, so the asterisk needs the version. */
const SCHEMES: readonly Uint8Array[] = [latin1('http://'), latin1('https://')]
const ASTERISK = latin1('* HTTP/')
const VERSION = latin1(' HTTP/')
const VERSION_NAME = latin1('http/')

/** What an authority is made of, RFC 3986 section 3.2, without userinfo. */
const AUTHORITY = new Uint8Array(256)
for (const byte of latin1(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=%:[]",
))
  AUTHORITY[byte] = 1

/** RFC 9112 section 2.2 has servers ignore at least one empty line; some clients send more. */
const MOST_EMPTY = 4

/** What the search for a known method found instead of one. */
const NONE = -1
const MORE = -2

/** Judges the bytes of a client from its first one on; all bytes so far must be in bytes[0..end). */
export function detect(bytes: Uint8Array, end: number): Spoken {
  if (end === 0) return Spoken.undecided
  if (bytes[0] === HANDSHAKE) {
    // Alone it cannot become HTTP either, so there is nothing to wait for.
    return end === 1 || bytes[1] === TLS_MAJOR ? Spoken.tls : Spoken.opaque
  }
  const same = matching(bytes, 0, end, PREFACE)
  if (same === PREFACE.length) return Spoken.http2
  if (same === end) return Spoken.undecided
  let start = 0
  while (start < end && start < MOST_EMPTY && (bytes[start] === CR || bytes[start] === LF)) start++
  // Nothing but an empty line: line protocols know it, while HTTP clients send it with a request.
  if (start === end) return Spoken.opaque
  return judgeRequest(bytes, start, end)
}

/**
 * Whether a server begins as one of HTTP/2 does: with SETTINGS, which it says without a word of the client's (RFC 9113
 * section 3.4). The client still has to speak, and says then what the connection is.
 */
export function greetsInHttp2(bytes: Uint8Array): boolean {
  if (bytes.length < FRAME_HEADER || bytes[0] !== 0) return false
  const length = ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0)
  if (length % SETTING_SIZE !== 0 || bytes[3] !== SETTINGS) return false
  for (let at = 4; at < FRAME_HEADER; at++) if (bytes[at] !== 0) return false
  return true
}

function judgeRequest(bytes: Uint8Array, start: number, end: number): Spoken {
  const target = afterMethod(bytes, start, end)
  if (target === MORE) return Spoken.undecided
  const spoken = target === NONE ? Spoken.opaque : judgeTarget(bytes, start, target, end)
  if (spoken !== Spoken.opaque) return spoken
  return meansRequest(bytes, start, end, target !== NONE) ? Spoken.http1 : Spoken.opaque
}

/** The position after a known method and its space. */
function afterMethod(bytes: Uint8Array, start: number, end: number): number {
  for (const method of METHODS) {
    const same = matching(bytes, start, end, method)
    if (same === method.length) return start + same
    if (start + same === end) return MORE
  }
  return NONE
}

/** Judges what follows a known method; opaque as soon as it is no target that the method can have. */
function judgeTarget(bytes: Uint8Array, start: number, target: number, end: number): Spoken {
  if (target === end) return Spoken.undecided
  // Whatever follows now, HTTP/0.9 included, is for the codec to judge.
  if (bytes[target] === SLASH) return Spoken.http1
  for (const scheme of SCHEMES) {
    const same = matchingCaseless(bytes, target, end, scheme)
    if (same === scheme.length) return Spoken.http1
    if (target + same === end) return Spoken.undecided
  }
  const same = matching(bytes, target, end, ASTERISK)
  if (same === ASTERISK.length) return Spoken.http1
  if (target + same === end) return Spoken.undecided
  // Only CONNECT names an authority (RFC 9112 section 3.2.3): `GET key` of another protocol does not wait.
  const connect = matching(bytes, start, end, CONNECT) === CONNECT.length
  return connect ? judgeAuthority(bytes, target, end) : Spoken.opaque
}

/** NATS and STOMP begin with CONNECT too: NATS goes on with a brace, STOMP has no space after it. */
function judgeAuthority(bytes: Uint8Array, target: number, end: number): Spoken {
  const last = Math.min(end, MOST_UNDECIDED)
  let at = target
  while (at < last && AUTHORITY[bytes[at] ?? 0] === 1) at++
  const same = at === target ? 0 : matching(bytes, at, last, VERSION)
  if (same === VERSION.length) return Spoken.http1
  return at + same === end && end < MOST_UNDECIDED ? Spoken.undecided : Spoken.opaque
}

/**
 * Whether the first line, which must be here whole, was meant as a request line: its last word is an HTTP version,
 * and before that stand a method and a target, however malformed. After a known method any number of words may
 * stand. Logs sent line by line end with a version at times, too, but have more words before it.
 */
function meansRequest(bytes: Uint8Array, start: number, end: number, known: boolean): boolean {
  let stop = lineEnd(bytes, start, end)
  if (stop === NONE) return false
  while (stop > start && (bytes[stop - 1] ?? 0) <= SP) stop--
  let version = stop
  while (version > start && !isSpace(bytes[version - 1])) version--
  if (!isVersion(bytes, version, stop)) return false
  if (known) return true
  let words = 0
  let first = start
  for (let at = start; at < version; at++) {
    if (isSpace(bytes[at]) || (at > start && !isSpace(bytes[at - 1]))) continue
    if (words === 0) first = at
    words++
  }
  return words === 2 || (words === 1 && bytes[first] === SLASH)
}

/** Where the LF is. */
function lineEnd(bytes: Uint8Array, start: number, end: number): number {
  const last = Math.min(end, LONGEST_LINE)
  for (let at = start; at < last; at++) {
    if (bytes[at] === LF) return at
  }
  return NONE
}

/** What some recipients take for the space between words, RFC 9112 section 3: SP, HTAB, VT, FF and bare CR. */
function isSpace(byte: number | undefined): boolean {
  return byte === SP || (byte !== undefined && byte >= HT && byte <= CR)
}

/** `HTTP/` in either case, and nothing behind it but digits, dots and commas. */
function isVersion(bytes: Uint8Array, start: number, stop: number): boolean {
  if (stop - start <= VERSION_NAME.length) return false
  if (matchingCaseless(bytes, start, stop, VERSION_NAME) < VERSION_NAME.length) return false
  for (let at = start + VERSION_NAME.length; at < stop; at++) {
    const byte = bytes[at] ?? 0
    const digit = byte >= ZERO && byte <= NINE
    if (!digit && byte !== DOT && byte !== COMMA) return false
  }
  return true
}

/** How many bytes from `at` on are those of `text`. */
function matching(bytes: Uint8Array, at: number, end: number, text: Uint8Array): number {
  const most = Math.min(end - at, text.length)
  let same = 0
  while (same < most && bytes[at + same] === text[same]) same++
  return same
}

/** The same where capitals match the small letters of `text`. */
function matchingCaseless(bytes: Uint8Array, at: number, end: number, text: Uint8Array): number {
  const most = Math.min(end - at, text.length)
  let same = 0
  while (same < most && small(bytes[at + same] ?? 0) === text[same]) same++
  return same
}

function small(byte: number): number {
  return byte >= CAPITAL_A && byte <= CAPITAL_Z ? byte | 0x20 : byte
}

function latin1(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
