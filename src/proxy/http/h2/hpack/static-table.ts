// The static table of RFC 7541 appendix A.

import { HeaderField } from './header-field.ts'
import { judgeName, judgeValue } from './judgement.ts'
import { ALL_OCTETS, NAME } from './octets.ts'

/** In the order of their indices, from 1. */
const ENTRIES: readonly string[] = [
  ':authority',
  ':method: GET',
  ':method: POST',
  ':path: /',
  ':path: /index.html',
  ':scheme: http',
  ':scheme: https',
  ':status: 200',
  ':status: 204',
  ':status: 206',
  ':status: 304',
  ':status: 400',
  ':status: 404',
  ':status: 500',
  'accept-charset',
  'accept-encoding: gzip, deflate',
  'accept-language',
  'accept-ranges',
  'accept',
  'access-control-allow-origin',
  'age',
  'allow',
  'authorization',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'etag',
  'expect',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'link',
  'location',
  'max-forwards',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'referer',
  'refresh',
  'retry-after',
  'server',
  'set-cookie',
  'strict-transport-security',
  'transfer-encoding',
  'user-agent',
  'vary',
  'via',
  'www-authenticate',
]

export const STATIC_ENTRIES = 61

function makeField(entry: string): HeaderField {
  const colon = entry.indexOf(': ')
  const nameLength = colon < 0 ? entry.length : colon
  const value = colon < 0 ? '' : entry.slice(colon + 2)
  const field = new HeaderField(
    Buffer.from(`${entry.slice(0, nameLength)}: ${value}\r\n`, 'latin1'),
  )
  field.nameLength = nameLength
  field.valueLength = value.length
  judgeName(field, entry.startsWith(':') ? ALL_OCTETS & ~NAME : ALL_OCTETS)
  judgeValue(field, ALL_OCTETS)
  return field
}

/** By index; what stands at 0 is never asked for. */
export const STATIC_FIELDS: readonly HeaderField[] = ['', ...ENTRIES].map(makeField)
