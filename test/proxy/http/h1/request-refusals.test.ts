// Every request that must be refused, as bytes, with the reason and the status; and that nothing of it gets out.

import t from 'tap'
import { DEFAULT_LIMITS } from '../../../../src/proxy/http/limits.ts'
import type { Refusal } from '../../../../src/proxy/http/refusal.ts'
import { REFUSALS, requestStatus } from '../../../../src/proxy/http/refusal.ts'
import { type Case, CL, get, HOST, post } from './refused-forms.ts'
import { CHUNKS, chunks, FRAMING, LIMITS } from './refused-framing.ts'
import { FIELDS, HOSTS, REQUEST_LINES } from './refused-heads.ts'
import { cutAt, readRequests, singly } from './transcript.ts'

const TABLES: Readonly<Record<string, readonly Case[]>> = {
  'request line': REQUEST_LINES,
  fields: FIELDS,
  host: HOSTS,
  framing: FRAMING,
  chunks: CHUNKS,
  limits: LIMITS,
}

/** Whatever these tables hold is wrong before the head is complete. */
const IN_HEADS = ['request line', 'fields', 'host', 'framing']

const GOOD = 'POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok'

for (const [table, cases] of Object.entries(TABLES)) {
  t.test(`request refusals: ${table}`, async (t) => {
    for (const [name, text, reason, status] of cases) {
      const bytes = Buffer.from(text, 'latin1')
      const whole = readRequests([bytes])
      const refusal = REFUSALS.findIndex((kind) => kind.name === whole.refusal) as Refusal
      t.equal(whole.refusal, reason, `${name}: the reason`)
      t.equal(requestStatus(refusal), status, `${name}: the status`)
      t.notOk(
        whole.messages.some((message) => message.complete),
        `${name}: no message gets out whole`,
      )
      if (IN_HEADS.includes(table)) t.same(whole.messages, [], `${name}: not even a head`)
      t.same(readRequests(singly(bytes)), whole, `${name}: the same byte by byte`)
      t.same(
        readRequests(cutAt(bytes, [Math.floor(bytes.length / 2)])),
        whole,
        `${name}: the same in halves`,
      )
      const after = readRequests([Buffer.concat([Buffer.from(GOOD), bytes])])
      const [first, ...others] = after.messages
      t.match(
        first,
        { line: 'POST /first', body: 'ok', complete: true },
        `${name}: after a good one`,
      )
      t.same([after.refusal, others], [reason, whole.messages], `${name}: and only that`)
    }
  })
}

t.test('request refusals: nothing is read after a refusal', async (t) => {
  const good = Buffer.from(GOOD)
  const transcript = readRequests([Buffer.from(get('X-A : b\r\n')), good, good])
  t.same(transcript.messages, [])
  t.equal(transcript.refusal, 'space-before-colon')
})

t.test(
  'request refusals: what was handed out of a bad body ends before the bad byte',
  async (t) => {
    for (const [name, text] of CHUNKS) {
      const whole = readRequests([Buffer.from(text, 'latin1')])
      const [message] = whole.messages
      if (message === undefined) continue
      t.ok(text.includes(`\r\n\r\n${message.body}`), `${name}: as it came`)
      t.ok(
        message.body.length < text.length - text.indexOf('\r\n\r\n') - 4,
        `${name}: not all of it`,
      )
    }
  },
)

t.test('request refusals: the limits are the configured ones', async (t) => {
  const limits = { ...DEFAULT_LIMITS, startLine: 20, field: 20, head: 60, fields: 2 }
  const cases: Case[] = [
    ['a start line of 21', 'GET /23456 HTTP/1.1\r\n\r\n', 'target-too-long', 414],
    ['a field of 21', 'GET / HTTP/1.1\r\nHost: a2345678901234\r\n\r\n', 'field-too-large', 431],
    ['3 fields', 'GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nA: b\r\n\r\n', 'too-many-fields', 431],
    [
      'a head of 61',
      `GET / HTTP/1.1\r\nHost: a\r\nA: ${'b'.repeat(14)}\r\n${'c'.repeat(17)}`,
      'head-too-large',
      431,
    ],
  ]
  for (const [name, text, reason] of cases) {
    t.equal(readRequests([Buffer.from(text)], { limits }).refusal, reason, name)
    t.equal(readRequests(singly(Buffer.from(text)), { limits }).refusal, reason, `${name} singly`)
  }
  const exact = 'GET /2345 HTTP/1.1\r\nHost: a2345678901\r\nA: b2345678901234\r\n\r\n'
  const roomy = { ...limits, head: exact.length }
  t.match(readRequests([Buffer.from(exact)], { limits: roomy }), {
    refusal: undefined,
    messages: [{ line: 'GET /2345' }],
  })
  t.equal(
    readRequests([Buffer.from(exact)], { limits: { ...roomy, head: exact.length - 1 } }).refusal,
    'head-too-large',
  )
})

t.test('request refusals: a client that leaves in the middle', async (t) => {
  const cut = (text: string): string | undefined =>
    readRequests([Buffer.from(text)], { close: true }).refusal
  t.equal(cut('GET / HT'), 'head-truncated')
  t.equal(cut(`GET / HTTP/1.1\r\n${HOST}`), 'head-truncated')
  t.equal(cut(post(`${CL} 3\r\n`, 'ab')), 'body-truncated')
  t.equal(cut(chunks('3\r\nabc\r\n')), 'body-truncated')
  t.equal(cut(chunks('0\r\nX: y\r\n')), 'body-truncated')
  t.equal(cut(post(`${CL} 3\r\n`, 'abc')), undefined)
  t.equal(cut(''), undefined)
  t.equal(cut('\r\n'), undefined)
})

t.test('request refusals: every reason has a name and a status of its own kind', async (t) => {
  const names = REFUSALS.map((kind) => kind.name)
  t.equal(new Set(names).size, names.length)
  t.ok(REFUSALS.every(({ name, status }) => /^[a-z0-9-]+$/.test(name) && status >= 400))
})
