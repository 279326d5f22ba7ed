// What a head may take: each limit at its bound and one over it, and that a head's own buffer is given back.

import t from 'tap'
import { DEFAULT_H2_LIMITS } from '../../../../../src/proxy/http/h2/h2-limits.ts'
import { HeadBuilder } from '../../../../../src/proxy/http/h2/head-builder.ts'
import { restHead } from '../../../../../src/proxy/http/h2/head-text.ts'
import { Head } from '../../../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../../../src/proxy/http/limits.ts'
import {
  build,
  built,
  GET,
  type List,
  list,
  OK,
  type Pair,
  readText,
  textOf,
} from './header-lists.ts'

const many = (count: number, line: string): List =>
  Array.from({ length: count }, () => list(line)[0] ?? ['', ''])

const sizeOf = (fields: List): number =>
  fields.reduce((size, [name, value]) => size + name.length + value.length + 32, 0)

/** Fields of `size` in all, none longer than a line may be. */
function filled(start: List, size: number): List {
  const fields: Pair[] = [...start]
  for (let left = size - sizeOf(fields); left > 0; left = size - sizeOf(fields)) {
    const next = left > 10_000 ? 8000 : left
    fields.push(['x', 'y'.repeat(next - 33)])
  }
  return fields
}

t.test('limits: fields, those of any kind included', async (t) => {
  const most = DEFAULT_H2_LIMITS.maxHeaderFields
  const left = most - GET.length
  for (const line of ['x: y', 'cookie: a', 'via: 1']) {
    t.equal(build('request', [...GET, ...many(left, line)]), undefined, `${left} of ${line}`)
    const over = [...GET, ...many(left + 1, line)]
    t.equal(build('request', over), 'too-many-fields', `${left + 1} of ${line}`)
  }
  t.equal(build('response', [...OK, ...many(most - 1, 'x: y')]), undefined)
  t.equal(build('response', [...OK, ...many(most, 'x: y')]), 'too-many-fields')
  t.equal(build('trailers', many(most, 'x: y')), undefined)
  t.equal(build('trailers', many(most + 1, 'x: y')), 'too-many-fields')
  const text = textOf(built('request', [...GET, ...many(left, 'x: y')]))
  t.type(readText('request', text), Head, 'HTTP/1.1 takes as many')
})

t.test('limits: bytes of a list, each field with 32 on top', async (t) => {
  const most = DEFAULT_H2_LIMITS.maxHeaderListSize
  for (const what of ['request', 'response'] as const) {
    const start = what === 'request' ? GET : OK
    const full = filled(start, most)
    t.equal(sizeOf(full), most)
    t.equal(build(what, full), undefined, `${most} of a ${what}`)
    t.equal(build(what, filled(start, most + 1)), 'head-too-large', `${most + 1} of a ${what}`)
    t.type(readText(what, textOf(built(what, full))), Head, 'HTTP/1.1 takes as much')
  }
  t.equal(build('trailers', filled([], most)), undefined)
  t.equal(build('trailers', filled([], most + 1)), 'trailer-too-large')
})

t.test('limits: a first line and a field as long as HTTP/1.1 takes them', async (t) => {
  const path = (length: number): List => [
    ...GET.slice(0, 3),
    [':path', `/${'a'.repeat(length - 'GET / HTTP/1.1\r\n'.length)}`],
  ]
  const line = DEFAULT_LIMITS.startLine
  t.type(readText('request', textOf(built('request', path(line)))), Head)
  t.equal(build('request', path(line + 1)), 'target-too-long')
  const field = (length: number): List => [...GET, ['x', 'y'.repeat(length - 'x: \r\n'.length)]]
  const most = DEFAULT_LIMITS.field
  t.type(readText('request', textOf(built('request', field(most)))), Head)
  t.equal(build('request', field(most + 1)), 'field-too-large')
  const crumbs = (length: number): List => {
    const half = 'c'.repeat(8000)
    const rest = length - 'cookie: ; ; \r\n'.length - 2 * half.length
    return [...GET, ['cookie', half], ['cookie', half], ['cookie', 'c'.repeat(rest)]]
  }
  t.type(readText('request', textOf(built('request', crumbs(most)))), Head)
  t.equal(build('request', crumbs(most + 1)), 'field-too-large')
  const authority = list(
    ':method: GET',
    ':scheme: http',
    `:authority: ${'a'.repeat(most)}`,
    ':path: /',
  )
  t.equal(build('request', authority), 'field-too-large')
})

t.test('limits: those that are configured', async (t) => {
  const limits = { ...DEFAULT_H2_LIMITS, maxHeaderFields: 5, maxHeaderListSize: 300 }
  const builder = new HeadBuilder(limits)
  t.equal(build('request', [...GET, ...list('x: y')], { builder }), undefined)
  t.equal(build('request', [...GET, ...list('x: y', 'x: y')], { builder }), 'too-many-fields')
  t.equal(build('request', [...GET, ['x', 'y'.repeat(200)]], { builder }), 'head-too-large')
  const strict = new HeadBuilder(limits, { ...DEFAULT_LIMITS, field: 20 })
  t.equal(build('request', [...GET, ['x', 'y'.repeat(20)]], { builder: strict }), 'field-too-large')
})

t.test(
  'limits: a head keeps its buffer for the next message, but not a large one for ever',
  async (t) => {
    const head = new Head()
    const builder = new HeadBuilder(DEFAULT_H2_LIMITS)
    built('request', GET, { head, builder })
    const { bytes } = head
    t.ok(bytes.length <= 512, `${bytes.length} bytes at first`)
    built('request', [...GET, ...list('x: y')], { head, builder })
    t.equal(head.bytes, bytes, 'the same buffer')
    restHead(head)
    t.equal(head.bytes, bytes, 'which is kept while nothing comes')
    built('request', filled(GET, 20_000), { head, builder })
    t.ok(head.bytes.length >= 19_000, `${head.bytes.length} bytes`)
    restHead(head)
    t.equal(head.bytes.length, 0, 'nothing of the large one')
    built('request', GET, { head, builder })
    t.ok(head.bytes.length <= 512, `${head.bytes.length} bytes again`)
  },
)

t.test('limits: a head never writes into what a reader has', async (t) => {
  const head = new Head()
  const read = Buffer.from('GET / HTTP/1.1\r\n')
  head.begin(read, 0)
  built('request', [...GET, ...list('x: y')], { head })
  t.equal(read.toString(), 'GET / HTTP/1.1\r\n')
})
