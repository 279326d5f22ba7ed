// Makes of the fields of a header block one head in the common form: the lines of HTTP/1.1 in a buffer that belongs to
// the stream, with the spans that a reader of HTTP/1.1 would have found.
//
// Pseudo-header fields come first but in any order (RFC 9113 section 8.3), so their values wait until all of them are
// there. The first thing wrong is the refusal; the rest of the block is then passed over. Fields were judged by
// themselves when they were decoded (HeaderField.refusal); what the whole head must be is left to the rules.

import { sameAuthority } from '../authority.ts'
import { isDigit, SP, ZERO } from '../characters.ts'
import { Field, fieldBits } from '../fields.ts'
import { judgeTrailers } from '../h1/trailers.ts'
import { Head, TargetForm } from '../head.ts'
import { DEFAULT_LIMITS, type Limits } from '../limits.ts'
import { Method, methodOf } from '../method.ts'
import { Refusal } from '../refusal.ts'
import { HTTP_PORT, HTTPS_PORT, NO_PORT } from '../target.ts'
import type { H2Limits } from './h2-limits.ts'
import { judgeRequestHead, judgeResponseHead } from './head-rules.ts'
import { HeadText } from './head-text.ts'
import { viewOf } from './hpack/copy.ts'
import { type FieldSink, type HeaderField, Pseudo } from './hpack/header-field.ts'
import { Values } from './values.ts'

const REQUEST = 0
const RESPONSE = 1
const TRAILERS = 2

const REQUEST_VERSION = viewOf(Buffer.from(' HTTP/1.1\r\n', 'latin1'))
const RESPONSE_VERSION = viewOf(Buffer.from('HTTP/1.1 ', 'latin1'))
const HOST_NAME = viewOf(Buffer.from('host: ', 'latin1'))
const COOKIE_NAME = viewOf(Buffer.from('cookie: ', 'latin1'))
const HTTP = Buffer.from('http', 'latin1')
const HTTPS = Buffer.from('https', 'latin1')

const METHOD = 1 << Pseudo.method
const SCHEME = 1 << Pseudo.scheme
const AUTHORITY = 1 << Pseudo.authority
const PATH = 1 << Pseudo.path
const STATUS = 1 << Pseudo.status

/** By kind of head: the fields that are not simply copied. */
const SPECIAL: readonly number[] = [
  fieldBits(Field.te, Field.host, Field.cookie),
  fieldBits(Field.te),
  0,
]

export class HeadBuilder implements FieldSink {
  readonly #limits: H2Limits
  /** What HTTP/1.1 takes of a line. */
  readonly #lines: Limits
  #head: Head
  #what: number = REQUEST
  #asked = 0
  #refusal: Refusal = Refusal.none
  /** So far in this block, as its limits count. */
  #fields = 0
  #size = 0
  /** The pseudo-header fields are over. */
  #inFields = false
  /** Those that there were, as bits. */
  #pseudos = 0
  #isHttps = false
  /** A Host beside `:authority`, which is not written. */
  #hasHost = false
  #hasCookie = false
  #isCookieSensitive = false
  /** Those of pseudo-header fields, and after them of cookies. */
  readonly #values: Values = new Values()
  readonly #text: HeadText = new HeadText()

  constructor(limits: H2Limits, lines: Limits = DEFAULT_LIMITS) {
    this.#limits = limits
    this.#lines = lines
    this.#head = new Head()
  }

  /** Fields go into `head` from now on: of a request, a response (`asked` as in h1/response-rules.ts), or trailers. */
  begin(head: Head, what: 'request' | 'response' | 'trailers', asked: number): void {
    this.#head = head
    this.#what = what === 'request' ? REQUEST : what === 'response' ? RESPONSE : TRAILERS
    this.#asked = asked
    this.#refusal = Refusal.none
    this.#fields = 0
    this.#size = 0
    this.#inFields = what === 'trailers'
    this.#pseudos = 0
    this.#isHttps = false
    this.#hasHost = false
    this.#hasCookie = false
    this.#isCookieSensitive = false
    this.#values.begin()
    this.#text.begin(head)
    head.minor = 1
    head.persistent = true
    head.method = Method.other
    head.status = 0
    head.methodEnd = 0
    head.targetStart = 0
    head.targetEnd = 0
    head.targetForm = TargetForm.origin
    head.fieldsStart = 0
  }

  field(field: HeaderField): void {
    if (this.#refusal !== Refusal.none) return
    this.#size += field.nameLength + field.valueLength + 32
    if (++this.#fields > this.#limits.maxHeaderFields) this.#refusal = Refusal.tooManyFields
    else if (this.#size > this.#limits.maxHeaderListSize) this.#refusal = this.#tooLarge()
    else if (field.refusal !== Refusal.none) this.#refusal = field.refusal
    else if (field.pseudo !== Pseudo.none) this.#refusal = this.#takePseudo(field)
    else this.#refusal = this.#takeField(field)
  }

  /** The block is over, and with `isEnd` the message. Why it is refused, or `Refusal.none`. */
  end(isEnd: boolean): Refusal {
    if (this.#refusal === Refusal.none) this.#refusal = this.#end(isEnd)
    return this.#refusal
  }

  #end(isEnd: boolean): Refusal {
    const head = this.#head
    const line = this.#inFields ? Refusal.none : this.#startFields()
    if (line !== Refusal.none) return line
    const cookie = this.#hasCookie ? this.#writeCookie() : Refusal.none
    if (cookie !== Refusal.none) return cookie
    this.#text.crlf()
    head.end = this.#text.end
    if (this.#what === REQUEST) return judgeRequestHead(head, isEnd)
    if (this.#what === RESPONSE) return judgeResponseHead(head, this.#asked, isEnd)
    // RFC 9113 section 8.1: nothing comes after trailers.
    return isEnd ? judgeTrailers(head) : Refusal.headRepeated
  }

  #tooLarge(): Refusal {
    return this.#what === TRAILERS ? Refusal.trailerTooLarge : Refusal.headTooLarge
  }

  #takePseudo(field: HeaderField): Refusal {
    const { pseudo } = field
    if (this.#what === TRAILERS) return Refusal.pseudoInTrailers
    if (this.#inFields) return Refusal.pseudoAfterField
    if (pseudo === Pseudo.unknown) return Refusal.pseudoUnknown
    const bit = 1 << pseudo
    if ((this.#pseudos & bit) !== 0) return Refusal.pseudoRepeated
    this.#pseudos |= bit
    if ((pseudo === Pseudo.status) !== (this.#what === RESPONSE)) return Refusal.pseudoForbidden
    if (pseudo === Pseudo.status) return this.#takeStatus(field)
    if (pseudo === Pseudo.scheme) return this.#takeScheme(field)
    this.#values.keep(pseudo, field)
    return Refusal.none
  }

  /** RFC 9113 section 8.3.1 lets others be; to know their authorities and paths is not for us. */
  #takeScheme(field: HeaderField): Refusal {
    this.#isHttps = isText(field, HTTPS)
    return this.#isHttps || isText(field, HTTP) ? Refusal.none : Refusal.schemeInvalid
  }

  /** RFC 9110 section 15: three digits, and below 100 there is no class. */
  #takeStatus(field: HeaderField): Refusal {
    const { bytes, valueLength } = field
    if (valueLength !== 3) return Refusal.statusInvalid
    let status = 0
    const start = field.start + field.nameLength + 2
    for (let at = start; at < start + 3; at++) {
      if (!isDigit(bytes[at]!)) return Refusal.statusInvalid
      status = status * 10 + bytes[at]! - ZERO
    }
    this.#head.status = status
    return status < 100 ? Refusal.statusInvalid : Refusal.none
  }

  /** All pseudo-header fields are there: writes what HTTP/1.1 makes of them. */
  #startFields(): Refusal {
    this.#inFields = true
    const refusal = this.#what === REQUEST ? this.#startRequest() : this.#startResponse()
    this.#values.begin()
    return refusal
  }

  #startResponse(): Refusal {
    if ((this.#pseudos & STATUS) === 0) return Refusal.pseudoMissing
    const head = this.#head
    const text = this.#text
    text.copy(RESPONSE_VERSION, 0, RESPONSE_VERSION.byteLength)
    text.number(head.status)
    // RFC 9112 section 4: the space stands even where there is no reason.
    text.byte(SP)
    head.targetStart = text.end
    head.targetEnd = text.end
    text.crlf()
    head.fieldsStart = text.end
    return Refusal.none
  }

  #startRequest(): Refusal {
    const head = this.#head
    const text = this.#text
    const values = this.#values
    const pseudos = this.#pseudos
    if ((pseudos & METHOD) === 0) return Refusal.pseudoMissing
    values.write(Pseudo.method, text)
    head.methodEnd = text.end
    head.method = methodOf(head.bytes, 0, text.end)
    text.byte(SP)
    head.targetStart = text.end
    if (head.method === Method.connect) {
      // RFC 9113 section 8.5.
      if ((pseudos & (SCHEME | PATH)) !== 0) return Refusal.pseudoForbidden
      if ((pseudos & AUTHORITY) === 0) return Refusal.pseudoMissing
      values.write(Pseudo.authority, text)
    } else {
      // Section 8.3.1.
      if ((pseudos & (SCHEME | PATH)) !== (SCHEME | PATH)) return Refusal.pseudoMissing
      values.write(Pseudo.path, text)
    }
    head.targetEnd = text.end
    text.copy(REQUEST_VERSION, 0, REQUEST_VERSION.byteLength)
    head.fieldsStart = text.end
    if (text.end > this.#lines.startLine) return Refusal.targetTooLong
    return (pseudos & AUTHORITY) === 0 ? Refusal.none : this.#writeHost()
  }

  #writeHost(): Refusal {
    const values = this.#values
    const start = values.starts[Pseudo.authority]!
    return this.#writePair(HOST_NAME, start, values.ends[Pseudo.authority]!, Field.host)
  }

  #takeField(field: HeaderField): Refusal {
    if (!this.#inFields) {
      const line = this.#startFields()
      if (line !== Refusal.none) return line
    }
    const { kind } = field
    if (field.nameLength + field.valueLength + 4 > this.#lines.field) return Refusal.fieldTooLarge
    if (kind !== Field.other && (SPECIAL[this.#what]! & (1 << kind)) !== 0) {
      if (kind === Field.cookie) return this.#takeCrumb(field)
      if (kind === Field.te) return this.#takeTe(field)
      if ((this.#pseudos & AUTHORITY) !== 0) return this.#takeHost(field)
    }
    this.#text.line(field)
    return Refusal.none
  }

  /** RFC 9113 section 8.2.2: only in requests. Any value but one was refused; it stays, as it would in HTTP/1.1. */
  #takeTe(field: HeaderField): Refusal {
    if (this.#what !== REQUEST) return Refusal.connectionField
    this.#head.trailersWelcome = true
    this.#text.line(field)
    return Refusal.none
  }

  /** RFC 9113 section 8.3.1: it may stand beside `:authority`, and must not say anything else. */
  #takeHost(field: HeaderField): Refusal {
    if (this.#hasHost) return Refusal.hostRepeated
    this.#hasHost = true
    const head = this.#head
    const text = this.#text
    const start = head.spans[2]!
    const end = head.spans[3]!
    text.place(field.view, field.start + field.nameLength + 2, field.valueLength)
    const isHttp = (this.#pseudos & SCHEME) !== 0
    const port = isHttp ? (this.#isHttps ? HTTPS_PORT : HTTP_PORT) : NO_PORT
    return sameAuthority(head, start, end, text.end, text.end + field.valueLength, port)
      ? Refusal.none
      : Refusal.hostMismatch
  }

  /** RFC 9113 section 8.2.3: one line in HTTP/1.1, however many there are here. An empty one says nothing. */
  #takeCrumb(field: HeaderField): Refusal {
    this.#hasCookie = true
    this.#isCookieSensitive ||= field.isSensitive
    if (field.valueLength > 0) this.#values.join(field)
    return Refusal.none
  }

  #writeCookie(): Refusal {
    if (this.#isCookieSensitive) this.#head.markSensitive(this.#head.count)
    return this.#writePair(COOKIE_NAME, 0, this.#values.length, Field.cookie)
  }

  #writePair(name: DataView, start: number, end: number, kind: number): Refusal {
    if (name.byteLength + end - start + 2 > this.#lines.field) return Refusal.fieldTooLarge
    this.#text.pair(name, this.#values.view, start, end, kind)
    return Refusal.none
  }
}

function isText(field: HeaderField, text: Buffer): boolean {
  if (field.valueLength !== text.length) return false
  const start = field.start + field.nameLength + 2
  for (let i = 0; i < text.length; i++) {
    if (field.bytes[start + i] !== text[i]) return false
  }
  return true
}
