// Random header lists: mostly sound, with the oddities strewn in that rules are about. The same seed makes the same ones.

import type { Dice } from '../../../../fuzz/messages.ts'
import type { List, Pair, What } from './header-lists.ts'

const METHODS = ['GET', 'GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'M', 'get']
const ODD_METHODS = ['', 'G T', 'GET / HTTP/1.1', 'M'.repeat(33), 'G\r\n', 'G:', '\xe9']
const PATHS = ['/', '/', '/a', '/a?b=c&d=%', '/%41', '//', '/{}|', '*', `/${'a'.repeat(700)}`]
const ODD_PATHS = ['', 'a', '/%4', '/%zz', '/a#b', '/\xe9', '/ ', ' /', 'http://a/', '**', '/\r\n']
const AUTHORITIES = ['a', 'a', 'a.example:8080', '[::1]:8', 'A', 'a:80', '10.0.0.1:443']
const ODD_AUTHORITIES = ['', 'a,b', 'u@a', 'a:', 'a:0', 'a b', '[::g]', 'a/', '\xe9', 'b']
const NAMES = ['x', 'accept', 'x-request-id', 'traceparent', 'via', "!#$%&'*+-.^_`|~", 'set-cookie']
const ODD_NAMES = ['', 'X', 'x y', 'x:', ':x', 'content_length', 'connection', 'upgrade', 'x\r\n']
const VALUES = ['', 'y', 'y z', 'caf\xe9', 'a=b; c="d"', '\x80\xff', ':', ', ,', 'x'.repeat(300)]
const ODD_VALUES = [' y', 'y ', 'y\t', 'y\0', 'y\r\nz: a', 'y\n', '\x7f', '\r']
const STATUSES = ['200', '200', '204', '304', '404', '100', '103', '599', '999']
const ODD_STATUSES = ['', '20', '2000', '099', '101', '2xx', '-10', ' 200']
const SPECIAL: readonly Pair[] = [
  ['cookie', 'a=b'],
  ['cookie', 'c'],
  ['cookie', ''],
  ['te', 'trailers'],
  ['te', 'Trailers'],
  ['te', 'gzip'],
  ['host', 'a'],
  ['host', 'A:80'],
  ['host', 'a.example:8080'],
  ['host', 'b'],
  ['content-length', '0'],
  ['content-length', '7'],
  ['content-length', '007'],
  ['content-length', '+7'],
  ['expect', '100-continue'],
  ['expect', 'x'],
  ['max-forwards', '3'],
  ['max-forwards', 'x'],
  ['trailer', 'x'],
  ['http2-settings', 'x'],
  ['transfer-encoding', 'chunked'],
]

function field(dice: Dice): Pair {
  if (dice.once(4)) return dice.pick(SPECIAL)
  const name = dice.odd(40) ? dice.pick(ODD_NAMES) : dice.pick(NAMES)
  return [name, dice.odd(40) ? dice.pick(ODD_VALUES) : dice.pick(VALUES)]
}

function fields(dice: Dice): Pair[] {
  return Array.from({ length: dice.below(dice.once(20) ? 120 : 8) }, () => field(dice))
}

function shuffled(dice: Dice, pairs: readonly Pair[]): Pair[] {
  const left = [...pairs]
  const drawn: Pair[] = []
  while (left.length > 0) drawn.push(...left.splice(dice.below(left.length), 1))
  return drawn
}

function requestPseudos(dice: Dice): Pair[] {
  const method = dice.odd(20) ? dice.pick(ODD_METHODS) : dice.pick(METHODS)
  const path = dice.odd(20) ? dice.pick(ODD_PATHS) : dice.pick(PATHS)
  const authority = dice.odd(20) ? dice.pick(ODD_AUTHORITIES) : dice.pick(AUTHORITIES)
  const scheme = dice.odd(20) ? dice.pick(['', 'HTTP', 'ftp']) : dice.pick(['http', 'https'])
  const target: Pair[] = [
    [':scheme', scheme],
    [':path', path],
  ]
  const isOdd = dice.odd(20)
  const pairs: Pair[] = [[':method', method]]
  if (method !== 'CONNECT' || isOdd) pairs.push(...target)
  if (!dice.once(8)) pairs.push([':authority', authority])
  if (isOdd) pairs.splice(dice.below(pairs.length), 1)
  return shuffled(dice, pairs)
}

/** The fields of one head or trailer section. */
export function randomList(dice: Dice, what: What): List {
  if (what === 'trailers') return fields(dice)
  const status = dice.odd(20) ? dice.pick(ODD_STATUSES) : dice.pick(STATUSES)
  const pseudos: Pair[] = what === 'request' ? requestPseudos(dice) : [[':status', status]]
  const all = [...pseudos, ...fields(dice)]
  if (dice.odd(30)) all.splice(dice.below(all.length + 1), 0, dice.pick(all))
  return dice.odd(30) ? shuffled(dice, all) : all
}
