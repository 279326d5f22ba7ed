// What a request is held by: its client's address, a header, a cookie. Read from bytes, as a reader left them.

import t from 'tap'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { makeAffinity } from '../../../src/proxy/balance/affinity.ts'
import { hashBytes, hashText, mix } from '../../../src/proxy/balance/hash.ts'
import type { Affinity } from '../../../src/proxy/stack/destination.ts'
import { type Exchange, NO_AFFINITY } from '../../../src/proxy/stack/exchange.ts'
import { exchangeOf } from './fixture.ts'

function ask(affinity: Affinity | undefined, fields: readonly string[], source?: string): Exchange {
  const exchange = exchangeOf(fields, source)
  affinity?.read(exchange)
  return exchange
}

function words(random: Random, count: number): string[] {
  return Array.from({ length: count }, () =>
    Array.from({ length: Math.floor(random() * 40) }, () =>
      String.fromCharCode(Math.floor(random() * 256)),
    ).join(''),
  )
}

t.test('hash: bytes and the text that they spell have the same', async (t) => {
  const seed = 5
  const seen = new Set<number>()
  const texts = [...new Set(words(seededRandom(seed), 2000))]
  for (const text of texts) {
    const bytes = Buffer.from(`ab${text}c`, 'latin1')
    const hash = hashText(text)
    if (hashBytes(bytes, 2, bytes.length - 1) !== hash) t.fail(`seed ${seed}: ${text}`)
    if (!(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 31)) t.fail(`seed ${seed}: ${hash}`)
    seen.add(hash)
  }
  t.equal(seen.size, texts.length, 'and different texts have different ones')
})

t.test('hash: near texts are far apart', async (t) => {
  const buckets = new Array<number>(16).fill(0)
  for (let at = 0; at < 16_000; at += 1) {
    const bucket = hashText(`user-${at}`) >>> 27
    buckets[bucket] = (buckets[bucket] ?? 0) + 1
  }
  for (const count of buckets) t.ok(Math.abs(count - 1000) < 5 * Math.sqrt(1000), `${count}`)
  const mixed = new Set(Array.from({ length: 10_000 }, (_, at) => mix(at)))
  t.equal(mixed.size, 10_000)
})

t.test("affinity: none, and by the client's address", async (t) => {
  t.equal(makeAffinity({ kind: 'none' }), undefined)
  const affinity = makeAffinity({ kind: 'sourceIp' })
  for (const source of ['10.0.0.1', '10.0.0.1', 'fd00::1', '10.0.0.1']) {
    t.equal(ask(affinity, [], source).affinity, hashText(source))
  }
  t.equal(ask(affinity, [], '').affinity, NO_AFFINITY)
})

t.test('affinity: by a header, whatever its case, all values of it', async (t) => {
  const affinity = makeAffinity({ kind: 'header', name: 'x-user' })
  const of = (...fields: string[]): number => ask(affinity, fields).affinity
  t.equal(of('X-User: ann'), hashText('ann'))
  t.equal(of('Accept: */*', 'x-uSER:   ann  ', 'X-User-Id: 7'), hashText('ann'))
  t.equal(of('X-User: Ann'), hashText('Ann'), 'values are compared as they are')
  t.equal(of('X-User: \xe4\xf6'), hashText('\xe4\xf6'))
  t.equal(of('X-User: a', 'Accept: */*', 'x-user: b'), hashText('a, b'))
  t.equal(of('X-User: a, b'), hashText('a, b'))
  t.not(of('X-User: b', 'X-User: a'), hashText('a, b'))
  t.equal(of('X-User:', 'X-User: a', 'X-User:'), hashText('a'))
  t.equal(of('X-Use: ann', 'X-Users: ann'), NO_AFFINITY)
  t.equal(of('X-User:'), NO_AFFINITY, 'an empty one stands for nobody')
  t.equal(of(), NO_AFFINITY)
  t.equal(ask(affinity, []).responseLines, undefined)
  t.equal(ask(makeAffinity({ kind: 'header', name: 'host' }), []).affinity, hashText('shop'))
  t.equal(
    ask(makeAffinity({ kind: 'header', name: 'cookie' }), ['Cookie: a=b']).affinity,
    hashText('a=b'),
  )
})

t.test('affinity: by a cookie, only where a pair of that name begins', async (t) => {
  const affinity = makeAffinity({ kind: 'cookie', name: 'sid', ttl: 0 })
  const found: readonly (readonly [value: string, ...fields: string[]])[] = [
    ['abc', 'Cookie: sid=abc'],
    ['abc', 'cookie: a=1; sid=abc; b=2'],
    ['abc', 'Cookie: a=1;sid=abc;b=2'],
    ['abc', 'Cookie: a=1;  \t sid=abc \t ; b=2'],
    ['abc', 'Cookie: a=1', 'Cookie: b=2', 'COOKIE: sid=abc'],
    ['abc', 'Cookie: ;; ;sid=abc;'],
    ['"a b"', 'Cookie: sid="a b"'],
    ['"a', 'Cookie: sid="a;b"'],
    ['a=b=c', 'Cookie: sid=a=b=c'],
    ['first', 'Cookie: sid=first; sid=second'],
    ['first', 'Cookie: sid=first', 'Cookie: sid=second'],
    ['second', 'Cookie: sid=; sid=second'],
    ['abc', 'Cookie: a=sid=no; sid=abc'],
    ['abc', 'Cookie: a="x; sid=abc'],
    ['\xe4', 'Cookie: sid=\xe4'],
    ['x', 'Cookie: nonsense; sid=x'],
  ]
  for (const [value, ...fields] of found) {
    const exchange = ask(affinity, fields)
    t.equal(exchange.affinity, hashText(value), fields.join(' | '))
    t.equal(exchange.responseLines, undefined)
  }
  const missing = [
    ...['Cookie: xsid=abc', 'Cookie: sidx=abc', 'Cookie: SID=abc', 'Cookie: sid', 'Cookie: sid='],
    ...['Cookie: a=sid=abc', 'Cookie: a="sid=abc"', 'Cookie: a=1, sid=abc', 'Cookie: sid =abc'],
    ...['Cookie: sid=  ', 'Cookie:', 'X-Cookie: sid=abc', 'Cookie: s', 'Accept: */*'],
  ]
  for (const field of missing) t.ok(ask(affinity, [field]).responseLines, field)
})

t.test(
  'affinity: a client without the cookie is given one, and stays where that leads',
  async (t) => {
    const cases = [
      [0, ''],
      [3_600_000, '; Max-Age=3600'],
      [1, '; Max-Age=1'],
      [1500, '; Max-Age=2'],
    ] as const
    for (const [ttl, age] of cases) {
      const affinity = makeAffinity({ kind: 'cookie', name: 'sid', ttl })
      const values = new Set<string>()
      for (let turn = 0; turn < 600; turn += 1) {
        const first = ask(affinity, turn % 2 === 0 ? [] : ['Cookie: other=1'])
        const line = first.responseLines?.toString('latin1') ?? ''
        const value = /^Set-Cookie: sid=([\w-]{16});/.exec(line)?.[1] ?? ''
        values.add(value)
        const whole = `Set-Cookie: sid=${value}${age}; Path=/; HttpOnly; SameSite=Lax\r\n`
        if (line !== whole) t.fail(line)
        const next = ask(affinity, [`Cookie: sid=${value}`])
        if (next.affinity !== first.affinity || next.responseLines !== undefined) t.fail(value)
      }
      t.equal(values.size, 600, 'every value is new')
    }
  },
)
