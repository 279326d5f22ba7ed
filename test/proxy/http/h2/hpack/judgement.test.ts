// What a field is refused for by itself (RFC 9113 section 8.2), however it comes: as a literal, coded, out of a table.

import t from 'tap'
import { Field } from '../../../../../src/proxy/http/fields.ts'
import { Pseudo } from '../../../../../src/proxy/http/h2/hpack/header-field.ts'
import { HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { Refusal } from '../../../../../src/proxy/http/refusal.ts'
import { coded, INCREMENTAL, literal, plain, read } from './blocks.ts'

const SIZE = 4096
const CONNECTION = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]

/** Name, value, and the reason if there is one. */
const FIELDS: readonly (readonly [name: string, value: string, refusal?: string])[] = [
  ['x-a', 'b'],
  ['x-a', ''],
  ['a', 'a b\tc'],
  ['x-a', 'caf\xe9 \x80\xff'],
  ["!#$%&'*+-.^_`|~09az", 'x'],
  ['x_y', 'z'],
  ['', 'x', 'name-empty'],
  ['X-a', 'b', 'name-uppercase'],
  ['x-A', 'b', 'name-uppercase'],
  ['X-Forwarded-For', 'b', 'name-uppercase'],
  ['x a', 'b', 'name-invalid'],
  ['x-a ', 'b', 'name-invalid'],
  ['x:a', 'b', 'name-invalid'],
  ['x\r\ny', 'b', 'name-invalid'],
  ['x\0', 'b', 'name-invalid'],
  ['\xe9', 'b', 'name-invalid'],
  ['x(', 'b', 'name-invalid'],
  ['x-a', 'b\r\nc: d', 'value-invalid'],
  ['x-a', 'b\rc', 'value-invalid'],
  ['x-a', 'b\nc', 'value-invalid'],
  ['x-a', 'b\0c', 'value-invalid'],
  ['x-a', '\x7f', 'value-invalid'],
  ['x-a', 'abcdefg\x01', 'value-invalid'],
  ['x-a', ' b', 'value-padded'],
  ['x-a', 'b ', 'value-padded'],
  ['x-a', '\tb', 'value-padded'],
  ['x-a', 'b\t', 'value-padded'],
  ['x-a', ' ', 'value-padded'],
  ['content_length', '3', 'name-lookalike'],
  ['transfer_encoding', 'chunked', 'name-lookalike'],
  ['transfer-encoding', 'gzip', 'connection-field'],
  ...CONNECTION.map((name) => [name, 'x', 'connection-field'] as const),
  ['te', 'trailers'],
  ['te', 'Trailers'],
  ['te', 'trailers, deflate', 'te-invalid'],
  ['te', 'gzip', 'te-invalid'],
  ['te', '', 'te-invalid'],
  [':path', '/'],
  [':path', ' /', 'value-padded'],
  [':status', '200'],
  [':path\0', '/', 'pseudo-unknown'],
  [':Path', '/', 'pseudo-unknown'],
  [':protocol', 'websocket', 'pseudo-unknown'],
  [':', 'x', 'pseudo-unknown'],
  [':content-length', '3', 'pseudo-unknown'],
]

t.test('judgement: every field, in every form', async (t) => {
  for (const [name, value, refusal] of FIELDS) {
    const expected = refusal === undefined ? [] : [refusal]
    const forms: Record<string, Buffer> = {
      literal: literal(name, value),
      'literal, never indexed': literal(name, value, 0x10),
      'literal, indexed': literal(name, value, INCREMENTAL),
      coded: Buffer.concat([Buffer.from([0]), coded(name), coded(value)]),
    }
    for (const [form, block] of Object.entries(forms)) {
      const { verdict, listing } = read(new HpackDecoder(SIZE), block)
      t.equal(verdict, 0)
      t.same(listing.pairs, [[name, value]])
      t.same(
        listing.refusals,
        expected,
        `${JSON.stringify(name)}: ${JSON.stringify(value)}, ${form}`,
      )
    }
    const decoder = new HpackDecoder(SIZE)
    read(decoder, literal(name, value, INCREMENTAL))
    t.same(read(decoder, 'be').listing.refusals, expected, 'out of the table')
    const named = Buffer.concat([Buffer.from('0f2f', 'hex'), plain(value)])
    t.same(read(decoder, named).listing.refusals, expected, 'a name out of the table')
  }
})

t.test('judgement: a bad value spoils no other field of that name', async (t) => {
  const decoder = new HpackDecoder(SIZE)
  t.same(read(decoder, literal('x-a', 'b\n', INCREMENTAL)).listing.refusals, ['value-invalid'])
  const good = Buffer.concat([Buffer.from('0f2f', 'hex'), plain('c')])
  t.same(read(decoder, good).listing.refusals, [])
  t.same(read(decoder, 'be').listing.refusals, ['value-invalid'])
})

t.test('judgement: a control is seen wherever it stands', async (t) => {
  for (const byte of ['\0', '\n', '\r', '\x1f', '\x7f']) {
    for (let length = 1; length < 18; length++) {
      for (let at = 0; at < length; at++) {
        const value = `${'x'.repeat(at)}${byte}${'\xff'.repeat(length - at - 1)}`
        const { listing } = read(new HpackDecoder(SIZE), literal('x', value))
        if (listing.refusals[0] !== 'value-invalid') t.fail(JSON.stringify(value))
      }
    }
  }
  for (let length = 3; length < 18; length++) {
    const value = `a${'\t'.repeat(length - 2)}b`
    t.same(read(new HpackDecoder(SIZE), literal('x', value)).listing.refusals, [])
  }
})

t.test('judgement: codes and pseudo-header fields', async (t) => {
  const kinds: [string, number][] = [
    ['content-length', Field.contentLength],
    ['te', Field.te],
    ['x-envoy-expected-rq-timeout-ms', Field.xEnvoyExpectedRqTimeoutMs],
    ['x-other', Field.other],
    [':path', Field.other],
  ]
  for (const [name, kind] of kinds) {
    t.same(read(new HpackDecoder(SIZE), literal(name, 'trailers')).listing.kinds, [kind], name)
  }
  const seen: Pseudo[] = []
  const refusals: Refusal[] = []
  const decoder = new HpackDecoder(SIZE)
  const block = Buffer.concat([
    Buffer.from('82868188', 'hex'),
    Buffer.from('04', 'hex'),
    plain('/x'),
    ...[':method', ':scheme', ':authority', ':path', ':status', ':x', 'x'].map((name) =>
      literal(name, 'y'),
    ),
  ])
  decoder.decode(block, 0, block.length, {
    field: (field) => {
      seen.push(field.pseudo)
      refusals.push(field.refusal)
    },
  })
  const { method, scheme, authority, path, status, unknown, none } = Pseudo
  t.same(seen, [
    ...[method, scheme, authority, status, path],
    ...[method, scheme, authority, path, status, unknown, none],
  ])
  t.same(
    refusals.filter((refusal) => refusal !== Refusal.none),
    [Refusal.pseudoUnknown],
  )
})
