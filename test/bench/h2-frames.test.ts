// How the benchmark's own ends read and write HTTP/2.

import t from 'tap'
import { type Blocks, RESPONSE, requestBlocks } from '../../bench/h2-blocks.ts'
import {
  answerTo,
  FRAME_HEAD,
  FRAMES,
  FrameReader,
  firstField,
  frame,
  MOST_PAYLOAD,
  ownSettings,
  PREFACE,
  settings,
  windowUpdate,
} from '../../bench/h2-frames.ts'
import { HpackDecoder } from '../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { decodeBlock } from '../support/h2-wire.ts'

const ACK = 1

/** What a reader made of it, a line a frame. */
function collect(preface: Buffer): { reader: FrameReader; lines: string[] } {
  const lines: string[] = []
  const reader = new FrameReader(
    {
      frame(type, flags, stream, bytes, start, end) {
        lines.push(`${type} ${flags} ${stream} ${bytes.toString('latin1', start, end)}`)
      },
    },
    preface,
  )
  return { reader, lines }
}

t.test('h2 frames: read in pieces of every size', async (t) => {
  const bytes = Buffer.concat([
    PREFACE,
    frame(FRAMES.data, 1, 3, Buffer.from('hello')),
    frame(FRAMES.settings, ACK, 0, Buffer.alloc(0)),
    frame(FRAMES.data, 0, 0x7fff_ffff, Buffer.from('you')),
  ])
  for (let size = 1; size <= bytes.length; size++) {
    const { reader, lines } = collect(PREFACE)
    // One memory for all, as the clients have it.
    const memory = Buffer.alloc(size)
    for (let at = 0; at < bytes.length; at += size) {
      const length = bytes.copy(memory, 0, at, at + size)
      reader.read(memory.subarray(0, length))
    }
    t.same(lines, ['0 1 3 hello', '4 1 0 ', '0 0 2147483647 you'], `in pieces of ${size}`)
  }
})

t.test('h2 frames: what is none is refused', async (t) => {
  const tooLong = Buffer.alloc(FRAME_HEAD)
  tooLong.writeUIntBE(MOST_PAYLOAD + 1, 0, 3)
  t.throws(() => {
    collect(Buffer.alloc(0)).reader.read(tooLong)
  }, /a frame of 16385 bytes/)
  const text = Buffer.from('GET / HTTP/1.1\r\nHost: bench.default\r\n\r\n')
  t.throws(() => {
    collect(PREFACE).reader.read(text)
  }, /not HTTP\/2/)
})

t.test('h2 frames: control frames are answered, answers are not', async (t) => {
  const payload = Buffer.from('12345678')
  t.same(answerTo(FRAMES.ping, 0, payload, 1), frame(FRAMES.ping, ACK, 0, payload))
  t.equal(answerTo(FRAMES.ping, ACK, payload, 1), undefined)
  const none = Buffer.alloc(0)
  t.same(answerTo(FRAMES.settings, 0, none, 1), frame(FRAMES.settings, ACK, 0, none))
  t.equal(answerTo(FRAMES.settings, ACK, none, 1), undefined)
  t.equal(answerTo(FRAMES.windowUpdate, 0, windowUpdate(0, 9).subarray(9), 1), undefined)
})

t.test('h2 frames: what ends or narrows a connection is an error', async (t) => {
  const code = (value: number): Buffer => Buffer.of(0, 0, 0, value)
  t.throws(() => answerTo(FRAMES.reset, 0, code(7), 1), /a stream was reset with 7/)
  const last = Buffer.concat([code(0), code(11), Buffer.from('calm down')])
  t.throws(() => answerTo(FRAMES.goaway, 0, last, 1), /ended with 11 calm down/)
  const few = ownSettings(15).subarray(FRAME_HEAD)
  t.throws(() => answerTo(FRAMES.settings, 0, few, 16), /only 15 streams at once/)
  t.doesNotThrow(() => answerTo(FRAMES.settings, 0, few, 15))
  const table = settings([[1, 0]]).subarray(FRAME_HEAD)
  t.throws(() => answerTo(FRAMES.settings, 0, table, 1), /a header table of 0 bytes/)
})

t.test('h2 frames: the status is found behind sizes of the table', async (t) => {
  t.equal(firstField(Buffer.of(0x88, 1)), 0x88)
  t.equal(firstField(Buffer.of(0x20, 0x88)), 0x88)
  t.equal(firstField(Buffer.of(0x20, 0x3f, 0xe1, 0x1f, 0x88)), 0x88)
  t.equal(firstField(Buffer.of(0x3f, 0xff)), 0)
  t.equal(firstField(Buffer.alloc(0)), 0)
})

const BLOCKS: readonly (readonly [what: string, blocks: Blocks, fields: string[][]])[] = [
  ['a request', requestBlocks('/'), request('/')],
  ['a request for a path', requestBlocks('/pieces'), request('/pieces')],
  [
    'an answer',
    RESPONSE,
    [
      [':status', '200'],
      ['content-type', 'text/plain'],
      ['content-length', '37'],
    ],
  ],
]

function request(path: string): string[][] {
  return [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'bench.default'],
  ]
}

for (const [what, { first, more }, fields] of BLOCKS) {
  t.test(`h2 blocks: ${what} says the same the first time and ever after`, async (t) => {
    const decoder = new HpackDecoder(4096)
    t.same(decodeBlock(decoder, first), fields)
    t.same(decodeBlock(decoder, more), fields)
    t.same(decodeBlock(decoder, more), fields)
    t.ok(more.length < first.length)
  })
}
