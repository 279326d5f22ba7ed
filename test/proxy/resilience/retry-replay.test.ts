// What is kept of a request so that it can be sent again, and that it is the same then.

import t from 'tap'
import { type Asked, Tries, type Wish } from './tries.ts'

const CHUNKED = 'Transfer-Encoding: chunked'

t.test('replay: kept where it would not be at hand, and could be sent again', async (t) => {
  const put: Wish = { retries: { methods: ['PUT'] } }
  const small = { line: 'PUT /', fields: ['Content-Length: 3'], body: 'abc' }
  const large = { line: 'PUT /', fields: ['Content-Length: 20000'], body: 'x'.repeat(20_000) }
  const huge = { line: 'PUT /', fields: ['Content-Length: 65537'], isAtHand: false }
  const cases: readonly (readonly [string, Asked, Wish, boolean])[] = [
    ['no body', { line: 'PUT /' }, put, false],
    ['no body, and not read to its end', { line: 'PUT /', isAtHand: false }, put, false],
    ['a small one that came along', small, put, false],
    ['a small one that comes later', { ...small, body: '', isAtHand: false }, put, true],
    ['16 KiB', { ...large, body: 'x'.repeat(16_384) }, put, false],
    ['more', large, put, true],
    ['chunks', { ...small, fields: [CHUNKED], isAtHand: false }, put, true],
    ['small chunks that came along', { ...small, fields: [CHUNKED] }, put, false],
    ['64 KiB', { ...huge, fields: ['Content-Length: 65536'] }, put, true],
    ['too much', huge, put, false],
    [
      'too much that waits to be asked for',
      { ...huge, fields: [...huge.fields, 'Expect: 100-continue'] },
      put,
      true,
    ],
    ['a method that is not sent again', { ...large, line: 'POST /' }, put, false],
    ['a method without a code', { ...large, line: 'PROPFIND /' }, put, false],
    ['the same, allowed', { ...large, line: 'A /' }, { retries: { methods: ['A'] } }, true],
    ['no attempts', large, { retries: { methods: ['PUT'], attempts: 0 } }, false],
    [
      'only for what was not sent',
      large,
      { retries: { methods: ['PUT'], on: ['connect-failure'] } },
      false,
    ],
    [
      'hedged',
      { ...large, line: 'GET /' },
      { retries: { methods: [], attempts: 0, hedgeAfter: 5 } },
      true,
    ],
    ['hedged, but not safe', large, { retries: { attempts: 0, hedgeAfter: 5 } }, false],
    [
      'an upgrade',
      { ...large, fields: [...large.fields, 'Connection: upgrade', 'Upgrade: x'] },
      put,
      false,
    ],
  ]
  for (const [what, asked, wish, isKept] of cases) {
    const f = new Tries(1, wish)
    const exchange = f.open(asked)
    t.equal(exchange.replay !== undefined, isKept, what)
    f.last.answer(200)
  }
})

t.test('replay: what another stage has set stays', async (t) => {
  const f = new Tries(1, { retries: { methods: ['PUT'] } })
  const exchange = f.request({ line: 'PUT /', fields: [CHUNKED], isAtHand: false })
  exchange.keepForReplay()
  const { replay } = exchange
  f.retrying.open(exchange)
  t.equal(exchange.replay, replay)
})

t.test('replay: a request is sent again from it until it is cut', async (t) => {
  for (const isCut of [false, true]) {
    const f = new Tries(2, { retries: { methods: ['PUT'] } })
    f.sends = false
    const exchange = f.open({ line: 'PUT /', fields: [CHUNKED], isAtHand: false })
    f.last.send(false)
    exchange.replay?.add(Buffer.alloc(isCut ? 65_537 : 65_536), 0, isCut ? 65_537 : 65_536)
    exchange.request.bytes.fill(0x58)
    f.last.fail('upstream-reset')
    t.same(f.denied, isCut ? { body: 1 } : {})
    if (isCut) continue
    f.clock.advance(30)
    t.equal(f.last.sentHead, f.at(0).sentHead, 'as it came')
  }
})

t.test('kept: a copy, since the connection that it was sent on may carry others', async (t) => {
  const f = new Tries(2, { retries: { on: [503] } })
  const exchange = f.open()
  const sent = exchange.kept
  f.last.head(503)
  sent?.fill(0x58)
  f.clock.advance(30)
  t.equal(f.last.sentHead, f.at(0).sentHead)
})
