// The fuzzer of HTTP/2 connections, of both roles: random conversations, random pieces.
//
// It holds that nothing throws or runs without end; that whatever comes, what is sent is legal (support/h2-watch.ts
// judges every frame); that memory stays bounded; that an owner hears of at most one failure, and nothing is said behind
// it; and that cutting never changes what is sent. A failure names the seed and shows the bytes.

import { seededRandom } from '../../src/lib/random.ts'
import type { Manners } from '../support/h2-app.ts'
import { H2Rig, type RigOptions } from '../support/h2-rig.ts'
import { Peer, type Role } from './h2-frames.ts'
import { Dice, pieces } from './messages.ts'

export interface Bounds {
  readonly seed: number
  /** So many conversations at most. */
  readonly count: number
  /** True when it is time to stop. */
  readonly over: () => boolean
}

export interface Tally {
  inputs: number
  frames: number
  /** Heads that were accepted. */
  heads: number
  /** By error code, the connections that ended. */
  readonly failures: Record<string, number>
  /** By error code, the streams that we reset. */
  readonly resets: Record<string, number>
}

const ASKS = [
  'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n',
] as const
const MOST_FRAMES = 40
const ENOUGH = Buffer.alloc(30_000, 'y')

export function fuzzH2(bounds: Bounds): Tally {
  const dice = new Dice(seededRandom(bounds.seed))
  const tally: Tally = { inputs: 0, frames: 0, heads: 0, failures: {}, resets: {} }
  while (tally.inputs < bounds.count && !bounds.over()) {
    const role: Role = dice.once(2) ? 'server' : 'client'
    dice.calm = dice.pick([1, 5, 50])
    const given: string[] = []
    try {
      if (dice.once(2)) checkCuts(dice, role, given, tally)
      else checkWild(dice, role, given, tally)
    } catch (error) {
      const name = `seed ${bounds.seed}, input ${tally.inputs}, ${role}`
      throw new Error(`${name}:\n${given.join('\n')}`, { cause: error })
    }
    tally.inputs++
  }
  return tally
}

/** The same bytes say the same, however they come. What is done with them happens as they are read. */
function checkCuts(dice: Dice, role: Role, given: string[], tally: Tally): void {
  const peer = new Peer(dice, role === 'server' ? 'client' : 'server')
  const asks =
    role === 'client' ? Array.from({ length: 1 + dice.below(4) }, () => dice.pick(ASKS)) : []
  for (const i of asks.keys()) peer.opened(1 + 2 * i)
  const frames = Array.from({ length: 1 + dice.below(MOST_FRAMES) }, () => peer.next())
  given.push(...frames.map((bytes) => bytes.toString('hex')))
  const all = Buffer.concat(frames)
  const body = ENOUGH.subarray(0, dice.below(ENOUGH.length))
  const manners: Partial<Manners> = { answers: dice.once(2) ? 'head' : 'never', body }
  const converse = (parts: readonly Buffer[]): string => {
    const rig = new H2Rig({ role, manners })
    for (const text of asks) rig.ask(text, !text.startsWith('POST'))
    rig.turn()
    rig.feed(...parts)
    finish(rig, tally)
    return JSON.stringify({ told: rig.told(), failures: rig.failures, limited: rig.limited })
  }
  const expected = converse([all])
  const single = Array.from(all, (_, at) => all.subarray(at, at + 1))
  for (const parts of [frames, pieces(dice, all), pieces(dice, all), single]) {
    const actual = converse(parts)
    if (actual === expected) continue
    const sizes = parts.map(({ length }) => length).join(',')
    throw new Error(`cut in ${sizes}:\n${actual}\nis not\n${expected}`)
  }
}

/** Both sides, time, and a peer that reads or does not, all at random. */
function checkWild(dice: Dice, role: Role, given: string[], tally: Tally): void {
  const peer = new Peer(dice, role === 'server' ? 'client' : 'server')
  const options: RigOptions = {
    role,
    limits: { connectionWindow: 70_000, maxConcurrentStreams: 1 + dice.below(8) },
    manners: {
      answers: dice.pick(['head', 'end', 'never']),
      body: ENOUGH.subarray(0, dice.below(ENOUGH.length)),
      hasTrailers: dice.once(2),
      reads: !dice.once(4),
    },
  }
  const rig = new H2Rig(options)
  for (let i = dice.below(3 * MOST_FRAMES); i > 0; i--) {
    const what = dice.below(14)
    if (what > 5) {
      const bytes = peer.next()
      given.push(bytes.toString('hex'))
      const parts = dice.once(2) ? [bytes] : pieces(dice, bytes)
      if (dice.once(2)) rig.feed(...parts)
      else rig.give(...parts)
    } else {
      given.push(`act ${what}`)
      act(dice, rig, peer, what)
    }
    checkMemory(rig)
  }
  rig.open()
  finish(rig, tally)
}

function act(dice: Dice, rig: H2Rig, peer: Peer, what: number): void {
  const { app } = rig
  const ids = [...app.streams.keys()]
  if (what === 0) rig.turn()
  else if (what === 1) {
    if (dice.once(2)) rig.takes = false
    else rig.open()
  } else if (what === 2) rig.openOnce()
  else if (what === 3) rig.pass(dice.pick([1, 1, 1, 5, 400]))
  else if (what === 4 && rig.role === 'client') {
    if (!rig.connection.hasRoom) return
    const text = dice.pick(ASKS)
    const isOpen = text.startsWith('POST')
    const stream = rig.ask(text, !isOpen)
    peer.opened(stream.id)
    if (!isOpen) return
    stream.sendData(ENOUGH, 0, dice.below(ENOUGH.length))
    if (dice.once(2)) stream.sendEnd()
  } else if (ids.length > 0) {
    const id = dice.pick(ids)
    if (dice.once(3)) app.cancel(id, dice.below(14))
    else if (dice.once(2)) app.takeBody(app.stream(id))
    else if (dice.once(20)) rig.connection.drain()
    else if (rig.role === 'server' && !app.hasAnswered(id)) app.answer(app.stream(id))
  }
}

function checkMemory(rig: H2Rig): void {
  const { inflow, output } = rig.connection
  const { connectionWindow } = rig.limits
  if (inflow.parked < 0 || inflow.parked > 2 * connectionWindow) {
    throw new Error(`${inflow.parked} bytes are parked`)
  }
  if (output.waiting > 1_000_000) throw new Error(`${output.waiting} bytes wait`)
}

function finish(rig: H2Rig, tally: Tally): void {
  if (rig.failures.length > 1) throw new Error(`failed twice: ${rig.failures.join(', ')}`)
  if (rig.failures.length === 0) rig.connection.lost('over')
  rig.turn()
  tally.frames += rig.frames.length
  tally.heads += rig.app.heads
  for (const code of rig.failures) tally.failures[code] = (tally.failures[code] ?? 0) + 1
  for (const code of rig.resets) tally.resets[code] = (tally.resets[code] ?? 0) + 1
  for (const [id, stream] of rig.app.streams) {
    if (!stream.isClosed) throw new Error(`stream ${id} is open behind the end`)
  }
}
