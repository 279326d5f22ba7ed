// That heads cost no memory: neither to build nor to encode one, once what they are made in is there.

import t from 'tap'
import { DEFAULT_H2_LIMITS } from '../../../../../src/proxy/http/h2/h2-limits.ts'
import { HeadBuilder } from '../../../../../src/proxy/http/h2/head-builder.ts'
import { HeadEncoder } from '../../../../../src/proxy/http/h2/head-encoder.ts'
import { HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { HpackEncoder } from '../../../../../src/proxy/http/h2/hpack/hpack-encoder.ts'
import { Head } from '../../../../../src/proxy/http/head.ts'
import { Refusal } from '../../../../../src/proxy/http/refusal.ts'
import { built, GET, list } from './header-lists.ts'

const ROUNDS = 20_000
const LINES = Buffer.from('x-added: y\r\n')
const BEFORE = Buffer.from('x-number: ')
const AFTER = Buffer.from('\r\n')

t.test('allocation: none for a head that is encoded, decoded and built', async (t) => {
  const sent = built('request', [
    ...GET,
    ...list('te: trailers', 'cookie: a=b', 'x: y', 'via: 2 a'),
  ])
  const heads = new HeadEncoder(new HpackEncoder(4096))
  const decoder = new HpackDecoder(4096)
  const builder = new HeadBuilder(DEFAULT_H2_LIMITS)
  const head = new Head()
  let refused = 0
  const run = (): void => {
    for (let i = 0; i < ROUNDS; i++) {
      heads.request(sent, 0)
      heads.addLines(LINES)
      heads.addNumber(BEFORE, i, AFTER)
      heads.finish()
      builder.begin(head, 'request', 0)
      decoder.decode(heads.block, 0, heads.length, builder)
      if (builder.end(false) !== Refusal.none) refused++
    }
  }
  run()
  run()
  const before = process.memoryUsage()
  run()
  const after = process.memoryUsage()
  t.equal(refused, 0)
  const perHead = (after.heapUsed - before.heapUsed) / ROUNDS
  t.ok(perHead < 16, `${perHead.toFixed(2)} bytes a head`)
  t.ok(after.arrayBuffers - before.arrayBuffers < 64 * 1024, 'and none outside of the heap')
})
