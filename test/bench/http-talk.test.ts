// How the clients read answers at L7: in pieces of any size, and nothing that is not the answer.

import t from 'tap'
import { HttpTalk } from '../../bench/clients/http-talk.ts'
import { BLOCK_HEAD, lengthOf, QUESTIONS, UPLOAD_ANSWER } from '../../bench/messages.ts'
import { ANSWER, ANSWER_BODY, PATTERN } from '../../bench/protocol.ts'

/** Takes the place of a socket that takes everything. */
const NOWHERE = { write: () => true } as unknown as Parameters<HttpTalk['ask']>[0]

function asked(): HttpTalk {
  const talk = new HttpTalk(QUESTIONS.small)
  talk.ask(NOWHERE)
  return talk
}

t.test('http talk: an answer in pieces of every size, again and again', async (t) => {
  const talk = asked()
  for (let size = 1; size <= ANSWER.length; size++) {
    const whole: boolean[] = []
    for (let at = 0; at < ANSWER.length; at += size) {
      whole.push(talk.take(ANSWER.subarray(at, at + size)))
    }
    t.equal(whole.indexOf(true), whole.length - 1, `in pieces of ${size}`)
    talk.ask(NOWHERE)
  }
})

t.test('http talk: a proxy may change the head', async (t) => {
  const head =
    'HTTP/1.1 200 Fine\r\nserver: x\r\ncontent-length:37\r\nConnection: keep-alive\r\n\r\n'
  t.equal(asked().take(Buffer.from(`${head}${ANSWER_BODY}`)), true)
})

t.test('http talk: a block is compared to its last byte', async (t) => {
  const talk = new HttpTalk(QUESTIONS.download)
  talk.ask(NOWHERE)
  t.equal(talk.take(BLOCK_HEAD), false)
  t.equal(talk.take(PATTERN.subarray(0, -1)), false)
  t.throws(() => talk.take(Buffer.from([(PATTERN.at(-1) ?? 0) ^ 1])), /wrong bytes after 1048575/)
})

const WRONG: readonly (readonly [what: string, text: string, reason: RegExp])[] = [
  [
    'another status',
    'HTTP/1.1 503 No\r\nContent-Length: 37\r\n\r\n',
    /not 200: HTTP\/1\.1 503 No$/,
  ],
  ['another length', 'HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n', /wrong length/],
  ['no length', 'HTTP/1.1 200 OK\r\n\r\n', /wrong length/],
  [
    'a coding besides',
    'HTTP/1.1 200 OK\r\nContent-Length: 37\r\nTransfer-Encoding: chunked\r\n\r\n',
    /wrong length/,
  ],
  ['a byte too many', `${ANSWER.toString()}x`, /wrong bytes/],
  ['a head without an end', 'x'.repeat(20_000), /without an end/],
]

for (const [what, text, reason] of WRONG) {
  t.test(`http talk: ${what} is an error`, async (t) => {
    t.throws(() => asked().take(Buffer.from(text)), reason)
  })
}

t.test('http talk: so is an answer that nobody asked for', async (t) => {
  const talk = asked()
  t.equal(talk.take(ANSWER), true)
  t.throws(() => talk.take(ANSWER), /nobody asked for/)
})

t.test('messages: lengths are those of the bodies', async (t) => {
  t.equal(lengthOf(BLOCK_HEAD.toString()), PATTERN.length)
  t.equal(lengthOf(QUESTIONS.upload.head.toString()), PATTERN.length)
  t.equal(UPLOAD_ANSWER.toString().split('\r\n\r\n')[1], QUESTIONS.upload.answer.toString())
  t.equal(lengthOf(UPLOAD_ANSWER.toString()), QUESTIONS.upload.answer.length)
})
