// The pseudo-header fields of a request (RFC 9113 section 8.3.1), made from the first line and the Host of HTTP/1.1, and
// whatever else of a request is no line of its head.
//
// Each is put together in a small buffer of our own, since an encoder wants name and value in the same bytes.

import { QUESTION, SLASH, STAR } from '../characters.ts'
import { Field } from '../fields.ts'
import { type Head, TargetForm } from '../head.ts'
import { Method } from '../method.ts'
import type { HpackEncoder } from './hpack/hpack-encoder.ts'

const CONSTANTS = ':method:scheme:authority:pathhttpstetrailers'
const METHOD = CONSTANTS.indexOf(':method')
const SCHEME = CONSTANTS.indexOf(':scheme')
const AUTHORITY = CONSTANTS.indexOf(':authority')
const PATH = CONSTANTS.indexOf(':path')
const HTTP = CONSTANTS.indexOf('https')
const TE = CONSTANTS.indexOf('tetrailers')
/** Values begin here. */
const VALUE = CONSTANTS.length

const FIRST_SIZE = 512
const HTTPS_LENGTH = 'https://'.length

export class PseudoEncoder {
  readonly #hpack: HpackEncoder
  #bytes: Buffer
  #end = VALUE

  constructor(hpack: HpackEncoder) {
    this.#hpack = hpack
    this.#bytes = firstBytes()
  }

  /** `authority` stands for the head's if that is not empty. */
  request(head: Head, authority: string): void {
    this.#copy(head.bytes, head.start, head.methodEnd)
    this.#value(METHOD, SCHEME)
    // Section 8.5: what is connected to has neither scheme nor path.
    const isConnect = head.method === Method.connect
    if (!isConnect) this.#scheme(head)
    this.#authority(head, authority)
    if (!isConnect) this.#path(head)
  }

  /** RFC 9110 section 10.1.4: it is said anew on every hop. */
  trailersWelcome(): void {
    this.#hpack.field(this.#bytes, TE, TE + 2, TE + 2, VALUE, Field.te)
  }

  /** Gives back what a large request has taken. */
  rest(): void {
    if (this.#bytes.length > FIRST_SIZE) this.#bytes = firstBytes()
  }

  /** A mesh's requests are plain text to its applications: https only where the target says so. */
  #scheme({ targetForm, targetStart, authorityStart }: Head): void {
    const isAbsolute = targetForm === TargetForm.absolute
    const isHttps = isAbsolute && authorityStart - targetStart === HTTPS_LENGTH
    const end = HTTP + (isHttps ? 5 : 4)
    this.#hpack.field(this.#bytes, SCHEME, AUTHORITY, HTTP, end, Field.other)
  }

  #authority(head: Head, authority: string): void {
    if (authority === '') this.#copy(head.bytes, head.authorityStart, head.authorityEnd)
    else this.#text(authority)
    this.#value(AUTHORITY, PATH)
  }

  #path(head: Head): void {
    const { bytes, targetForm, authorityEnd, targetEnd } = head
    if (targetForm !== TargetForm.absolute) {
      this.#copy(bytes, head.targetStart, targetEnd)
    } else {
      const first = authorityEnd < targetEnd ? bytes[authorityEnd]! : 0
      // RFC 9113 section 8.3.1: without a path it is `/`, and `*` for OPTIONS; RFC 9110 section 4.2.3: before a query too.
      if (first === 0 && head.method === Method.options) this.#byte(STAR)
      else if (first === 0 || first === QUESTION) this.#byte(SLASH)
      this.#copy(bytes, authorityEnd, targetEnd)
    }
    this.#value(PATH, HTTP)
  }

  #value(name: number, nameEnd: number): void {
    this.#hpack.field(this.#bytes, name, nameEnd, VALUE, this.#end, Field.other)
    this.#end = VALUE
  }

  #byte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.#end++] = byte
  }

  #copy(from: Buffer, start: number, end: number): void {
    this.#reserve(end - start)
    const bytes = this.#bytes
    const by = this.#end - start
    for (let at = start; at < end; at++) bytes[at + by] = from[at]!
    this.#end += end - start
  }

  #text(text: string): void {
    this.#reserve(text.length)
    for (let i = 0; i < text.length; i++) this.#bytes[this.#end++] = text.charCodeAt(i)
  }

  #reserve(size: number): void {
    if (this.#end + size <= this.#bytes.length) return
    const bytes = Buffer.allocUnsafeSlow(2 * (this.#end + size))
    this.#bytes.copy(bytes, 0, 0, this.#end)
    this.#bytes = bytes
  }
}

function firstBytes(): Buffer {
  const bytes = Buffer.allocUnsafeSlow(FIRST_SIZE)
  bytes.write(CONSTANTS, 'latin1')
  return bytes
}
