// The differential fuzzer of the HTTP/1.1 codec: random messages, random pieces, two other parsers beside ours.
//
// It holds that cutting never changes what is read; that whatever ours accepts, the others read alike (line, fields,
// body, where the message ends), unless they refuse it; that what is forwarded is accepted again and says the same;
// and that nothing throws or runs without end. A failure names the seed and shows the bytes.

import { seededRandom } from '../../src/lib/random.ts'
import { Event } from '../../src/proxy/http/h1/event.ts'
import { HeadWriter } from '../../src/proxy/http/h1/head-writer.ts'
import { RequestReader } from '../../src/proxy/http/h1/request-reader.ts'
import { DEFAULT_LIMITS } from '../../src/proxy/http/limits.ts'
import {
  type Message,
  type Options,
  readRequests,
  readResponses,
  type Transcript,
} from '../proxy/http/h1/transcript.ts'
import { Dice, mutate, pieces, request, response } from './messages.ts'
import { httpParserJs, type Kind, llhttp, type Reading, type Reference } from './references.ts'

export interface Bounds {
  readonly seed: number
  /** So many inputs at most. */
  readonly count: number
  /** True when it is time to stop. */
  readonly over: () => boolean
}

export interface Tally {
  inputs: number
  messages: number
  /** By reason. */
  readonly refused: Record<string, number>
  /** By reference: messages that ours accepted and it read alike, and those that it refused. */
  readonly agreed: Record<string, number>
  readonly declined: Record<string, number>
}

interface Input {
  readonly bytes: Buffer
  readonly kind: Kind
}

const ASKED_HEAD = 1
const HOP_BY_HOP = /^(connection|keep-alive|proxy-connection|te|upgrade|http2-settings)$/i

export function fuzz(bounds: Bounds): Tally {
  const dice = new Dice(seededRandom(bounds.seed))
  const references = openReferences()
  const tally: Tally = { inputs: 0, messages: 0, refused: {}, agreed: {}, declined: {} }
  while (tally.inputs < bounds.count && !bounds.over()) {
    const input = makeInput(dice)
    try {
      check(input, dice, references, tally)
    } catch (error) {
      const text = JSON.stringify(input.bytes.toString('latin1'))
      throw new Error(`seed ${bounds.seed}, input ${tally.inputs}: ${text}`, { cause: error })
    }
    tally.inputs++
  }
  return tally
}

function add(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1
}

function openReferences(): ReadonlyMap<string, Reference> {
  const references = new Map<string, Reference>([['http-parser-js', httpParserJs]])
  const native = llhttp()
  if (native !== undefined) references.set('llhttp', native)
  return references
}

function makeInput(dice: Dice): Input {
  dice.calm = dice.pick([1, 10, 50])
  const kind = { request: dice.below(3) > 0, head: dice.once(6) }
  const text = Array.from({ length: 1 + dice.below(3) }, () =>
    kind.request ? request(dice) : response(dice),
  ).join('')
  const bytes = Buffer.from(text, 'latin1')
  return { bytes: dice.odd(2) ? mutate(dice, bytes) : bytes, kind }
}

function read({ kind }: Input, parts: readonly Buffer[], options: Options): Transcript {
  if (kind.request) return readRequests(parts, options)
  // Interim responses do not use up an expectation, so there are always enough.
  const asked = Array.from({ length: 8 }, () => (kind.head ? ASKED_HEAD : 0))
  return readResponses(parts, { ...options, asked })
}

function check(
  input: Input,
  dice: Dice,
  references: ReadonlyMap<string, Reference>,
  tally: Tally,
): void {
  const options = { decode: dice.once(2), close: dice.once(2) }
  const whole = read(input, [input.bytes], options)
  const expected = JSON.stringify(whole)
  for (let i = 0; i < 3; i++) {
    const cut = pieces(dice, input.bytes)
    const actual = JSON.stringify(read(input, cut, options))
    if (actual !== expected) {
      const sizes = cut.map((piece) => piece.length).join(',')
      throw new Error(`cut in ${sizes}:\n${actual}\nis not\n${expected}`)
    }
  }
  if (whole.refusal !== undefined) add(tally.refused, whole.refusal)
  tally.messages += whole.messages.length
  const decoded = read(input, [input.bytes], { decode: true })
  for (const [name, reference] of references) compare(name, reference, input, decoded, tally)
  if (input.kind.request) checkForwarded(input.bytes)
}

/** Message by message, as far as both have them. */
function compare(
  name: string,
  reference: Reference,
  input: Input,
  ours: Transcript,
  tally: Tally,
): void {
  const theirs = reference(input.bytes, input.kind)
  for (const [i, message] of ours.messages.entries()) {
    const reading = theirs.readings[i]
    if (reading === undefined || (message.complete && !reading.complete)) {
      if (theirs.error === undefined)
        throw new Error(`${name} does not see the end of message ${i}`)
      add(tally.declined, `${name}: ${theirs.error}`)
      return
    }
    // A body that ours refuses may be read by others in whatever way they like.
    if (!message.complete && ours.refusal !== undefined) return
    const difference = differ(message, reading)
    if (difference !== undefined) throw new Error(`${name}, message ${i}: ${difference}`)
    add(tally.agreed, name)
    // What follows a request to change the protocol, or to close, is read by nobody or by everybody differently.
    if (!message.persistent || message.upgrade || message.line.startsWith('CONNECT ')) return
  }
  const extra = theirs.readings[ours.messages.length]
  if (extra !== undefined && ours.refusal === undefined) {
    throw new Error(`${name} sees a message more: ${JSON.stringify(extra)}`)
  }
}

function differ(message: Message, reading: Reading): string | undefined {
  if (message.line !== reading.line) return `${message.line} is ${reading.line} to it`
  const ours = JSON.stringify(message.fields)
  const theirs = JSON.stringify(reading.fields)
  if (ours !== theirs) return `fields ${ours} are ${theirs} to it`
  // Neither reads a chunked body of a request that asks for an upgrade the way RFC 9110 section 7.8 has it.
  if (message.upgrade) return undefined
  const same = message.complete
    ? message.body === reading.body && reading.complete
    : reading.body.startsWith(message.body)
  if (!same) return `body ${JSON.stringify(message.body)} is ${JSON.stringify(reading)} to it`
  return !message.complete && reading.complete ? 'it sees the end where we do not' : undefined
}

const writer = new HeadWriter()

/** What leaves for an accepted head is accepted again, and says the same but for what belonged to the hop. */
function checkForwarded(bytes: Buffer): void {
  const reader = new RequestReader(DEFAULT_LIMITS)
  if (reader.read(bytes, 0, bytes.length) !== Event.head) return
  writer.request(reader.head)
  const out = writer.finish()
  if (out === undefined) throw new Error('the writer failed')
  const [before] = readRequests([bytes.subarray(reader.head.start, reader.head.end)]).messages
  const { messages, refusal } = readRequests([out])
  const [after] = messages
  // HTTP/1.1 needs a Host, which the caller adds to a request of 1.0 that came without.
  if (refusal === 'host-missing' && before?.minor === 0) return
  if (refusal !== undefined || after === undefined || before === undefined) {
    throw new Error(`forwarded, it is refused: ${refusal ?? 'nothing came'}`)
  }
  const nominated = new Set(
    before.fields
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.toLowerCase().split(/[ \t]*,[ \t]*/)),
  )
  const same =
    after.line === before.line &&
    after.authority === before.authority &&
    after.framing === before.framing &&
    after.minor === 1 &&
    after.fields.every(([name]) => !HOP_BY_HOP.test(name) && !nominated.has(name.toLowerCase())) &&
    isSubsequence(after.fields, before.fields)
  if (!same) throw new Error(`forwarded, it is another: ${JSON.stringify(out.toString('latin1'))}`)
}

function isSubsequence(part: Message['fields'], whole: Message['fields']): boolean {
  const rest = whole.map((pair) => JSON.stringify(pair))
  return part.every((pair) => {
    const at = rest.indexOf(JSON.stringify(pair))
    rest.splice(0, at + 1)
    return at >= 0
  })
}
