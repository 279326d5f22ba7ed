// A short run of the fuzzer with every test run, and a long stream through one reader at flat memory.

import t from 'tap'
import { seededRandom } from '../../src/lib/random.ts'
import { Event } from '../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../src/proxy/http/h1/request-reader.ts'
import { DEFAULT_LIMITS } from '../../src/proxy/http/limits.ts'
import { fuzz } from './h1.ts'

const INPUTS = 3000

t.test('fuzz: cutting changes nothing, and others read alike what is accepted', async (t) => {
  for (const seed of [1, 2]) {
    t.comment(`seed ${seed}`)
    const { inputs, messages, agreed, refused } = fuzz({ seed, count: INPUTS, over: () => false })
    t.equal(inputs, INPUTS, `seed ${seed} comes to its end`)
    t.ok(messages > INPUTS / 2, 'many messages are accepted')
    t.ok(Object.keys(refused).length > 15, 'many are refused, for many reasons')
    for (const name of ['http-parser-js', 'llhttp']) {
      t.ok((agreed[name] ?? 0) > messages / 2, `${name} reads most of them`)
    }
  }
})

t.test(
  'fuzz: nothing grows while a connection carries many messages in small pieces',
  async (t) => {
    const random = seededRandom(5)
    const reader = new RequestReader(DEFAULT_LIMITS)
    const text = [
      `GET /${'a'.repeat(3000)} HTTP/1.1\r\nHost: a\r\n${'X-Field: value\r\n'.repeat(80)}\r\n`,
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${'3;a=b\r\nabc\r\n'.repeat(50)}0\r\n${'X: y\r\n'.repeat(30)}\r\n`,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789',
    ].join('')
    const bytes = Buffer.from(text.repeat(10))
    const round = (): number => {
      let messages = 0
      for (let start = 0; start < bytes.length; ) {
        const stop = Math.min(bytes.length, start + 1 + Math.floor(random() * 700))
        for (let event: Event = Event.end; event !== Event.more; start = reader.position) {
          event = reader.read(bytes, start, stop)
          if (event === Event.refused) throw new Error(`refused: ${reader.refusal}`)
          if (event === Event.end) messages++
        }
      }
      return messages
    }
    for (let i = 0; i < 200; i++) round()
    const before = process.memoryUsage()
    for (let i = 0; i < 400; i++) t.equal(round(), 30)
    const after = process.memoryUsage()
    t.ok(after.arrayBuffers - before.arrayBuffers < 4 * 1024 * 1024, 'outside of the heap')
    t.ok(after.heapUsed - before.heapUsed < 16 * 1024 * 1024, 'and inside')
  },
)

t.test('fuzz: reading allocates nothing for a message', async (t) => {
  const reader = new RequestReader(DEFAULT_LIMITS)
  const bytes = Buffer.from(
    'GET /a HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\nConnection: keep-alive\r\n\r\n' +
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n' +
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
  )
  const rounds = 100_000
  const run = (): void => {
    for (let i = 0; i < rounds; i++) {
      let event: Event = Event.end
      for (let at = 0; event !== Event.more; at = reader.position) {
        event = reader.read(bytes, at, bytes.length)
      }
    }
  }
  run()
  run()
  const before = process.memoryUsage().heapUsed
  run()
  const grown = process.memoryUsage().heapUsed - before
  t.ok(grown / (3 * rounds) < 4, `${(grown / (3 * rounds)).toFixed(2)} bytes a message`)
})
