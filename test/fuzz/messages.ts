// Random messages for the fuzzer: mostly sound, with the oddities that parsers disagree about strewn in, then cut,
// flipped and spliced. The same seed makes the same messages.

import type { Random } from '../../src/lib/random.ts'

const SPECIAL = [
  0, 1, 9, 10, 11, 12, 13, 32, 34, 35, 37, 44, 47, 48, 58, 59, 61, 92, 95, 127, 128, 255,
]

export class Dice {
  /** How much rarer oddities are than usual. */
  calm = 1
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0
  }

  /** True once in `times`, or more rarely when it is calm. For what is likely to be refused. */
  odd(times: number): boolean {
    return this.once(times * this.calm)
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }

  many(limit: number, make: () => string): string {
    return Array.from({ length: this.below(limit) }, make).join('')
  }
}

const NAMES = [
  'X-A',
  'accept',
  'Cookie',
  'X-Request-Id',
  'traceparent',
  'x_under',
  "!#$%&'*+-.^_`|~",
  'Set-Cookie',
  'Via',
]
const VALUES = [
  '',
  'a',
  'a b',
  '\t x \t',
  'caf\xe9',
  'a=b; c="d"',
  '\x80\xff',
  ':',
  ', ,',
  'x'.repeat(70),
]
const LENGTHS = ['0', '3', '10', '003', '+3', '3,3', '0x3', '', '-1', '99999999999999999999', '3 ']
const CODINGS = [
  'chunked',
  'Chunked',
  'gzip, chunked',
  'identity',
  'chunked, chunked',
  '',
  ',chunked',
  'xchunked',
]
const OPTIONS = [
  'close',
  'keep-alive',
  'Keep-Alive, X-A',
  'upgrade',
  'x-a,,x-b',
  'Upgrade, close',
  'host',
  ',',
]
const ENDS = [
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\n ',
  '\r\r\n',
]
const METHODS = [
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'HEAD',
  'OPTIONS',
  'DELETE',
  'CONNECT',
  'TRACE',
  'PATCH',
  'get',
  'XYZ',
]
const TARGETS = [
  '/',
  '/a',
  '/a?b=c',
  '/%41',
  '/%4',
  '*',
  'http://a/',
  'http://a:80/x',
  'https://b/',
  'a:80',
  '/a#b',
  '//',
  '/{}|',
  '/\xe9',
]
const HOSTS = ['a', 'a', 'a', 'a', 'a:80', 'b', '', 'a,b', '[::1]:8', 'a b']
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
]
const STATUSES = [
  '200 OK',
  '200 OK',
  '200 ',
  '404 Not Found',
  '204 X',
  '304 X',
  '100 Continue',
  '103 X',
  '101 X',
  '500 caf\xe9',
  '200',
  '999 X',
  '20 X',
]
const EXTENSIONS = ['', '', '', '', ';a', ';a=b', ';a="b;\\"c"', ' ;a', ';', '; a=b', ';a="']

type Line = () => string

function field(dice: Dice): string {
  const colon = dice.odd(40) ? ' :' : dice.pick([':', ': ', ':\t '])
  return `${dice.pick(NAMES)}${colon}${dice.pick(VALUES)}${lineEnd(dice)}`
}

/** CRLF, but once in a while something that some take for a line's end. */
function lineEnd(dice: Dice): string {
  return dice.odd(15) ? dice.pick(ENDS) : '\r\n'
}

function chunks(dice: Dice): string {
  const chunk: Line = () => {
    const data = 'abcdefghijklmnopqrstuvwxyz'.slice(0, 1 + dice.below(25))
    const size = data.length + (dice.odd(40) ? 1 : 0)
    const digits = dice.pick([
      size.toString(16),
      size.toString(16).toUpperCase(),
      `00${size.toString(16)}`,
    ])
    const extension = dice.odd(4) ? dice.pick(EXTENSIONS) : ''
    return `${digits}${extension}${lineEnd(dice)}${data}${lineEnd(dice)}`
  }
  const trailers = dice.once(3) ? dice.many(3, () => field(dice)) : ''
  return `${dice.many(4, chunk)}0${lineEnd(dice)}${trailers}${lineEnd(dice)}`
}

/** Fields and body that go together, mostly. */
function framed(dice: Dice): { fields: string; body: string } {
  const strange = dice.odd(12)
  switch (dice.below(4)) {
    case 0:
      return { fields: '', body: '' }
    case 1: {
      const body = 'z'.repeat(dice.below(20))
      const length = strange ? dice.pick(LENGTHS) : `${body.length}`
      return { fields: `Content-Length: ${length}\r\n`, body }
    }
    case 2: {
      const coding = strange ? dice.pick(CODINGS) : 'chunked'
      return { fields: `Transfer-Encoding: ${coding}\r\n`, body: chunks(dice) }
    }
    default: {
      if (!strange) return { fields: 'Content-Length: 2\r\n', body: 'hi' }
      const fields = `Content-Length: ${dice.pick(LENGTHS)}\r\nTransfer-Encoding: ${dice.pick(CODINGS)}\r\n`
      return { fields, body: chunks(dice) }
    }
  }
}

function options(dice: Dice): string {
  const connection = dice.odd(5) ? `Connection: ${dice.pick(OPTIONS)}\r\n` : ''
  const upgrade = dice.once(15) ? `Upgrade: ${dice.pick(['websocket', 'h2c'])}\r\n` : ''
  const expect = dice.once(20) ? `Expect: ${dice.pick(['100-continue', '200-ok'])}\r\n` : ''
  return connection + upgrade + expect
}

/** The rest of a head, and its body. */
function rest(dice: Dice, first: string): string {
  const { fields, body } = framed(dice)
  const parts = [first, dice.many(dice.once(20) ? 60 : 5, () => field(dice)), options(dice), fields]
  if (dice.once(6)) parts.reverse()
  return `${parts.join('')}${lineEnd(dice)}${body}`
}

export function request(dice: Dice): string {
  const plain = !dice.odd(2)
  const method = plain ? dice.pick(['GET', 'POST', 'PUT']) : dice.pick(METHODS)
  const target = plain ? '/plain' : dice.pick(TARGETS)
  const version = plain ? 'HTTP/1.1' : dice.pick(VERSIONS)
  const space = dice.odd(60) ? dice.pick(['  ', '\t', '']) : ' '
  const host = dice.odd(30) ? '' : `Host: ${plain ? 'a' : dice.pick(HOSTS)}\r\n`
  const start = `${dice.odd(30) ? '\r\n' : ''}${method}${space}${target} ${version}${lineEnd(dice)}`
  return `${start}${rest(dice, host)}`
}

export function response(dice: Dice): string {
  const plain = !dice.odd(2)
  const version = plain ? 'HTTP/1.1' : dice.pick(VERSIONS)
  const status = plain ? '200 OK' : dice.pick(STATUSES)
  return `${version} ${status}${lineEnd(dice)}${rest(dice, '')}`
}

/** The bytes with up to three mistakes in them. */
export function mutate(dice: Dice, bytes: Buffer): Buffer {
  let mutated = bytes
  for (let i = dice.below(3); i >= 0 && mutated.length > 0; i--) mutated = mutateOnce(dice, mutated)
  return mutated
}

function mutateOnce(dice: Dice, bytes: Buffer): Buffer {
  const at = dice.below(bytes.length)
  const to = at + dice.below(Math.min(20, bytes.length - at) + 1)
  const before = bytes.subarray(0, at)
  switch (dice.below(5)) {
    case 0:
      return Buffer.concat([before, Buffer.of(dice.pick(SPECIAL)), bytes.subarray(at + 1)])
    case 1:
      return Buffer.concat([before, Buffer.of(dice.pick(SPECIAL)), bytes.subarray(at)])
    case 2:
      return Buffer.concat([before, bytes.subarray(to)])
    case 3:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)])
    default:
      return Buffer.concat([before, Buffer.of(dice.below(256)), bytes.subarray(at + 1)])
  }
}

/** The bytes in random pieces, often very small ones. */
export function pieces(dice: Dice, bytes: Buffer): Buffer[] {
  const result: Buffer[] = []
  const size = dice.pick([1, 2, 7, 40, 400])
  for (let at = 0; at < bytes.length; ) {
    const to = Math.min(bytes.length, at + 1 + dice.below(size))
    result.push(bytes.subarray(at, to))
    at = to
  }
  return result
}
