// The pseudo-header fields of a request (RFC 9113 section 8.3.1), made from the first line and the Host of HTTP/1.1.
//
// What stands so in the head is written from there. The rest, from forms of target that clients of proxies use, is rare
// enough to be made anew.

import { QUESTION } from '../characters.ts'
import { type Head, TargetForm } from '../head.ts'
import { Method } from '../method.ts'
import { Pseudo } from './hpack/header-field.ts'
import type { HpackEncoder } from './hpack/hpack-encoder.ts'

const HTTPS = Buffer.from('https', 'latin1')
const HTTPS_PREFIX = 'https://'.length
const HTTP_LENGTH = 'http'.length
const SLASH = Buffer.from('/', 'latin1')
const STAR = Buffer.from('*', 'latin1')

/** `authority` stands for the head's if it is not empty. */
export function writePseudos(hpack: HpackEncoder, head: Head, authority: string): void {
  const { bytes } = head
  hpack.pseudo(Pseudo.method, bytes, head.start, head.methodEnd)
  // Section 8.5: what is connected to has neither scheme nor path.
  const isConnect = head.method === Method.connect
  if (!isConnect) writeScheme(hpack, head)
  if (authority === '') {
    hpack.pseudo(Pseudo.authority, bytes, head.authorityStart, head.authorityEnd)
  } else {
    hpack.pseudo(Pseudo.authority, Buffer.from(authority, 'latin1'), 0, authority.length)
  }
  if (isConnect) return
  if (head.targetForm === TargetForm.absolute) writePathOf(hpack, head)
  else hpack.pseudo(Pseudo.path, bytes, head.targetStart, head.targetEnd)
}

/** A mesh's requests are plain text to its applications: https only where the target says so. */
function writeScheme(hpack: HpackEncoder, head: Head): void {
  const isAbsolute = head.targetForm === TargetForm.absolute
  const isHttps = isAbsolute && head.authorityStart - head.targetStart === HTTPS_PREFIX
  hpack.pseudo(Pseudo.scheme, HTTPS, 0, isHttps ? HTTPS.length : HTTP_LENGTH)
}

/** The path and query of an absolute form. */
function writePathOf(hpack: HpackEncoder, head: Head): void {
  const { bytes, authorityEnd, targetEnd } = head
  if (authorityEnd === targetEnd) {
    // Section 8.3.1.
    hpack.pseudo(Pseudo.path, head.method === Method.options ? STAR : SLASH, 0, 1)
  } else if (bytes[authorityEnd] === QUESTION) {
    // RFC 9110 section 4.2.3: an empty path is the same as a slash.
    const path = Buffer.from(`/${head.text(authorityEnd, targetEnd)}`, 'latin1')
    hpack.pseudo(Pseudo.path, path, 0, path.length)
  } else {
    hpack.pseudo(Pseudo.path, bytes, authorityEnd, targetEnd)
  }
}
