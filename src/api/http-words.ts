// Words of HTTP that manifests hold: methods and names of fields.
//
// What cannot occur in a request, or only by a slip of the pen, is refused: a rule with it would never apply.

import type { Problems } from '../lib/problems.ts'
import { readString } from '../lib/shape.ts'

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Methods are case-sensitive (RFC 9110 section 9.1), and all that are registered are upper-case. */
const METHOD = /^[A-Z][A-Z-]{0,31}$/

/** Such as the name of a header; empty if it is not there. */
export function readToken(value: unknown, path: string, problems: Problems): string {
  const text = readString(value, path, problems)
  if (text !== '' && !TOKEN.test(text)) {
    problems.add(path, 'must be a token, without spaces and separators', value)
  }
  return text
}

/** Undefined after a problem. */
export function readMethod(value: unknown, path: string, problems: Problems): string | undefined {
  if (typeof value === 'string' && METHOD.test(value)) return value
  problems.add(path, 'must be a method like GET', value)
  return undefined
}
