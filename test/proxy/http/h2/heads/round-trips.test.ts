// That a head is the same in either codec: what is accepted from HTTP/2 is read alike as HTTP/1.1, and what is accepted
// in one of the two and sent in HTTP/2 arrives with the same meaning. All with one table, over many heads.

import t from 'tap'
import { seededRandom } from '../../../../../src/lib/random.ts'
import { Field, fieldBits } from '../../../../../src/proxy/http/fields.ts'
import { DEFAULT_H2_LIMITS } from '../../../../../src/proxy/http/h2/h2-limits.ts'
import { HeadBuilder } from '../../../../../src/proxy/http/h2/head-builder.ts'
import { HeadEncoder } from '../../../../../src/proxy/http/h2/head-encoder.ts'
import { Decoded, HpackDecoder } from '../../../../../src/proxy/http/h2/hpack/hpack-decoder.ts'
import { HpackEncoder } from '../../../../../src/proxy/http/h2/hpack/hpack-encoder.ts'
import { Framing, Head, TargetForm } from '../../../../../src/proxy/http/head.ts'
import { Refusal, refusalName } from '../../../../../src/proxy/http/refusal.ts'
import { Dice, request, response } from '../../../../fuzz/messages.ts'
import {
  build,
  conclusionsOf,
  fieldsOf,
  type List,
  type Pair,
  readText,
  textOf,
  type What,
} from './header-lists.ts'
import { randomList } from './random-lists.ts'

const ROUNDS = 2000
const LENGTH = fieldBits(Field.contentLength)
const HOP = /^(connection|keep-alive|proxy-connection|te|upgrade|http2-settings|transfer-encoding)$/

/** Two ends of a connection. */
class Wire {
  readonly heads: HeadEncoder = new HeadEncoder(new HpackEncoder(4096))
  readonly head: Head = new Head()
  readonly #decoder = new HpackDecoder(4096)
  readonly #builder = new HeadBuilder(DEFAULT_H2_LIMITS)

  /** What the other end makes of the head that was begun. */
  arrive(what: What, isEnd: boolean, asked = 0): Head {
    const { heads } = this
    if (!heads.finish()) throw new Error('unsound')
    this.#builder.begin(this.head, what, asked)
    const decoded = this.#decoder.decode(heads.block, 0, heads.length, this.#builder)
    if (decoded !== Decoded.ok) throw new Error(`decoded as ${decoded}`)
    const refusal = this.#builder.end(isEnd)
    if (refusal !== Refusal.none) throw new Error(refusalName(refusal))
    return this.head
  }
}

function trial(seed: number, rounds: number, run: (dice: Dice) => string): Record<string, number> {
  const dice = new Dice(seededRandom(seed))
  const tally: Record<string, number> = {}
  for (let i = 0; i < rounds; i++) {
    dice.calm = dice.pick([1, 10, 50])
    try {
      const result = run(dice)
      tally[result] = (tally[result] ?? 0) + 1
    } catch (error) {
      throw new Error(`seed ${seed}, round ${i}`, { cause: error })
    }
  }
  return tally
}

function same(found: unknown, wanted: unknown): void {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)]
  if (one !== other) throw new Error(`${one}\nis not\n${other}`)
}

/** The other codec's words for a body that the stream ends. */
function framingOf(head: Head, what: What): readonly unknown[] {
  const { framing, expectsContinue, persistent } = head
  if (framing === Framing.stream && what === 'request') return [Framing.none, false, true]
  if (framing === Framing.stream) return [Framing.close, false, false]
  return [framing, expectsContinue, persistent && framing !== Framing.tunnel]
}

function checkText(head: Head, what: What, asked: number, isEnd: boolean): void {
  const other = readText(what, textOf(head), asked)
  if (typeof other === 'string') throw new Error(`${other}: ${JSON.stringify(textOf(head))}`)
  same(conclusionsOf(head), conclusionsOf(other))
  const ours = framingOf(head, what)
  const isEmpty = what === 'response' && isEnd && other.framing === Framing.close
  const theirs = isEmpty ? [head.framing, false, true] : framingOf(other, what)
  same(ours, theirs)
  if (head.has(LENGTH)) same(head.contentLength, other.contentLength)
}

t.test('round trips: what is accepted from HTTP/2 is read alike as HTTP/1.1', async (t) => {
  for (const seed of [1, 2, 3]) {
    t.comment(`seed ${seed}`)
    const builder = new HeadBuilder(DEFAULT_H2_LIMITS)
    const head = new Head()
    const tally = trial(seed, ROUNDS, (dice) => {
      const what = dice.pick(['request', 'response'] as const)
      const asked = dice.pick([0, 0, 1, 2])
      const isEnd = dice.once(2)
      const list = randomList(dice, what)
      const refusal = build(what, list, { isEnd, asked, builder, head })
      if (refusal !== undefined) return refusal
      checkText(head, what, asked, isEnd)
      return 'accepted'
    })
    t.ok((tally['accepted'] ?? 0) > ROUNDS / 4, `many are accepted: ${tally['accepted']}`)
    t.ok(Object.keys(tally).length > 20, 'many are refused, for many reasons')
  }
})

t.test('round trips: trailers are read alike behind chunks', async (t) => {
  const head = new Head()
  const tally = trial(4, ROUNDS, (dice) => {
    const list = randomList(dice, 'trailers')
    const refusal = build('trailers', list, { head })
    if (refusal !== undefined) return refusal
    const text = `GET / HTTP/1.1\r\nhost: a\r\n${textOf(head)}`
    const other = readText('request', text)
    if (typeof other === 'string') throw new Error(other)
    same(fieldsOf(head), fieldsOf(other).slice(1))
    same([...head.kinds.subarray(0, head.count)], [...other.kinds.subarray(1, other.count)])
    return 'accepted'
  })
  t.ok((tally['accepted'] ?? 0) > ROUNDS / 8, `many are accepted: ${tally['accepted']}`)
})

/** The fields that are to arrive: without those of a hop, cookies in one, trailers welcomed anew. */
function travelling(head: Head): List {
  const cookies: string[] = []
  const rest: Pair[] = []
  const isBare = head.status > 0 && (head.status < 200 || head.status === 204)
  const isWithout = isBare || head.framing === Framing.tunnel
  fieldsOf(head).forEach(([name, value], at) => {
    const lower = name.toLowerCase()
    if (HOP.test(lower) || lower === 'host' || head.nominated[at] === 1) return
    if (isWithout && lower === 'content-length') return
    if (head.minor === 0 && head.status === 0 && lower === 'expect') return
    if (lower === 'cookie' && head.status === 0) cookies.push(value)
    else rest.push([lower, value])
  })
  if (head.trailersWelcome) rest.push(['te', 'trailers'])
  const crumbs = cookies.filter((crumb) => crumb !== '')
  if (cookies.length > 0) rest.push(['cookie', crumbs.join('; ')])
  return rest
}

function pathOf(head: Head): string {
  const { target, targetForm, authority } = head
  if (targetForm !== TargetForm.absolute) return target
  const path = target.slice(target.indexOf('//') + 2 + authority.length)
  if (path === '') return head.methodText === 'OPTIONS' ? '*' : '/'
  return path.startsWith('/') ? path : `/${path}`
}

function meaningOf(head: Head): readonly unknown[] {
  const length = head.framing === Framing.length ? head.contentLength : undefined
  const fields = head.status === 0 && head.count > 0 ? head.authority : ''
  return [head.methodText, pathOf(head), fields, head.status, head.trailersWelcome, length]
}

function checkArrived(arrived: Head, sent: readonly unknown[], fields: List): void {
  same(meaningOf(arrived), sent)
  const isRequest = arrived.status === 0
  same(fieldsOf(arrived).slice(isRequest ? 1 : 0), fields)
}

t.test('round trips: what is accepted from HTTP/1.1 arrives in HTTP/2', async (t) => {
  for (const seed of [5, 6, 7]) {
    t.comment(`seed ${seed}`)
    const wire = new Wire()
    const tally = trial(seed, ROUNDS, (dice) => {
      const text = request(dice)
      const all = text.replace('\r\n', dice.once(4) ? '\r\nTE: trailers, gzip\r\n' : '\r\n')
      const head = readText('request', all.slice(0, all.indexOf('\r\n\r\n') + 4))
      if (typeof head === 'string') return head
      const authority = head.authority === '' ? '10.0.0.1:80' : ''
      const sent = [...meaningOf(head)]
      if (authority !== '') sent[2] = authority
      const fields = travelling(head)
      wire.heads.request(head, 0, authority)
      const isEnd = head.framing === Framing.none
      const arrived = wire.arrive('request', isEnd)
      checkArrived(arrived, sent, fields)
      same(arrived.expectsContinue, head.expectsContinue)
      same(arrived.framing === Framing.stream, head.framing === Framing.chunked)
      return 'arrived'
    })
    t.ok((tally['arrived'] ?? 0) > ROUNDS / 4, `many arrive: ${tally['arrived']}`)
  }
})

t.test('round trips: and so do responses', async (t) => {
  const wire = new Wire()
  const tally = trial(8, ROUNDS, (dice) => {
    const text = response(dice)
    const asked = dice.pick([0, 0, 1, 2])
    const head = readText('response', text.slice(0, text.indexOf('\r\n\r\n') + 4), asked)
    if (typeof head === 'string') return head
    const [, , , ...sent] = meaningOf(head)
    const fields = travelling(head)
    wire.heads.response(head, 0)
    const isInterim = head.status < 200
    const isEnd = head.framing === Framing.none && !isInterim
    const arrived = wire.arrive('response', isEnd, asked)
    checkArrived(arrived, ['', '', '', ...sent], fields)
    const isStream = head.framing === Framing.chunked || head.framing === Framing.close
    same(arrived.framing, isStream ? Framing.stream : head.framing)
    return 'arrived'
  })
  t.ok((tally['arrived'] ?? 0) > ROUNDS / 4, `many arrive: ${tally['arrived']}`)
})

t.test('round trips: what is accepted from HTTP/2 goes on in it', async (t) => {
  const wire = new Wire()
  const builder = new HeadBuilder(DEFAULT_H2_LIMITS)
  const head = new Head()
  const tally = trial(9, ROUNDS, (dice) => {
    const what = dice.pick(['request', 'request', 'response', 'trailers'] as const)
    const isEnd = what === 'trailers' || dice.once(2)
    const refusal = build(what, randomList(dice, what), { isEnd, builder, head })
    if (refusal !== undefined) return refusal
    if (what === 'request') wire.heads.request(head, 0)
    else if (what === 'response') wire.heads.response(head, 0)
    else wire.heads.trailers(head)
    const arrived = wire.arrive(what, isEnd)
    if (what === 'trailers') same(fieldsOf(arrived), fieldsOf(head))
    else checkArrived(arrived, meaningOf(head), travelling(head))
    same([arrived.framing, arrived.expectsContinue], [head.framing, head.expectsContinue])
    return 'arrived'
  })
  t.ok((tally['arrived'] ?? 0) > ROUNDS / 4, `many arrive: ${tally['arrived']}`)
})
