// Everything at once over HTTP/2: clients of both versions, servers that refuse, reset, say GOAWAY and change their
// minds, every policy: each request ends once, with the bytes that are its own, what may not be sent again is acted on
// once, and afterwards nothing is left, neither in the counts nor in the connections.
//
// The seed is printed; `STORM_SEED` repeats a run as far as the network lets it.

import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { DEFAULT_RULES } from '../../../src/api/resources.ts'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { H2Connection } from '../../../src/proxy/http/h2/h2-connection.ts'
import { OutlierDetection } from '../../../src/proxy/resilience/outlier-detection.ts'
import { makeRoute } from '../../../src/proxy/route/make-route.ts'
import { Destination } from '../../../src/proxy/stack/destination.ts'
import { H2Server } from '../../support/h2-server.ts'
import { until } from '../../support/until.ts'
import { L7, onBoth, refusingPort } from './fixture.ts'
import { h2Client } from './h2-fixture.ts'
import { StormyServer, StreamAsked } from './h2-storm-peers.ts'
import { StormDice } from './storm-dice.ts'
import { Asked, isRightlyAnswered } from './storm-peers.ts'

const CLIENTS = 6
const TURNS = 10
/** Which of the servers it is. */
const MIRROR = 3
/** Of the clock that is turned: longer than any time of a policy. */
const PATIENCE = 30_000

/** All connections of the codec, whoever makes them. */
const connections = new Set<H2Connection>()
const start = Reflect.get(H2Connection.prototype, 'start')
H2Connection.prototype.start = function (this: H2Connection): void {
  connections.add(this)
  start.call(this)
}

class Storm extends StormDice {
  readonly f: L7
  readonly t: Test
  readonly asked: StreamAsked[] = []
  readonly problems: string[] = []
  #count = 0

  constructor(t: Test, random: Random, f: L7) {
    super(random)
    this.t = t
    this.f = f
  }

  /** Discovery has news. */
  change(): void {
    this.changePolicy(this.f.destination, [1, 4], [10, 30])
  }

  calm(): void {
    const { destination } = this.f
    destination.route = makeRoute('default', DEFAULT_RULES)
    destination.maxConnections = Number.POSITIVE_INFINITY
    destination.maxRequests = Number.POSITIVE_INFINITY
    destination.health = undefined
  }

  /** A client of HTTP/2, for a while. */
  async act(): Promise<void> {
    const initialWindowSize = [1000, 16_000, 65_535, 300_000][this.below(4)]
    const client = await h2Client(this.t, this.f, { initialWindowSize })
    const { session } = client
    const mine: StreamAsked[] = []
    for (let turn = 1 + this.below(4); turn > 0; turn -= 1) {
      if (session.closed || session.destroyed) break
      const some = Array.from({ length: 1 + this.below(8) }, () => this.#ask(client))
      mine.push(...some)
      if (this.random() < 0.5) await setTimeout(this.random() * 20)
      else await this.#over(some)
      const way = this.random()
      if (way < 0.04) {
        for (const asked of mine) asked.isGivenUp = true
        client.destroy()
      }
      if (way > 0.96) session.close()
    }
    if (this.random() < 0.2) {
      for (const asked of mine) asked.isGivenUp = true
      client.destroy()
    }
    await this.#over(mine)
    session.close()
  }

  #ask(client: StreamClient): StreamAsked {
    const asked = new StreamAsked(this.random, this.#count++, client)
    this.asked.push(asked)
    return asked
  }

  async #over(some: readonly StreamAsked[]): Promise<void> {
    const { clock } = this.f
    const end = clock.now() + PATIENCE
    const isOver = (): boolean => some.every((asked) => asked.isOver)
    await until(`${some[0]?.token ?? ''} and so on`, () => isOver() || clock.now() > end, 30_000)
    for (const asked of some) {
      if (asked.isOver) continue
      this.problems.push(`${asked.token} hangs: ${asked.state}`)
      asked.giveUp()
    }
  }

  /** One of HTTP/1.1. */
  async actOld(): Promise<void> {
    const client = await this.f.client()
    const mine: Asked[] = []
    for (let turn = 1 + this.below(4); turn > 0 && !client.closed && !client.ended; turn -= 1) {
      const asked = new Asked(this.random, this.#count++)
      mine.push(asked)
      if (client.socket.writable) client.socket.write(asked.text, 'latin1')
      if (this.random() < 0.3) continue
      const { clock } = this.f
      const end = clock.now() + PATIENCE
      const isOver = (): boolean =>
        client.closed || client.ended || isRightlyAnswered(client.text, mine, true) !== ''
      await until('its answers', () => isOver() || clock.now() > end, 30_000)
      if (!isOver()) {
        const tail = JSON.stringify(client.text.slice(-300))
        this.problems.push(`no answer to ${asked.method} ${asked.token}: ${tail}`)
      }
    }
    if (this.random() < 0.3) client.reset()
    const problem = isRightlyAnswered(client.text, mine)
    if (problem !== '') this.problems.push(problem)
    client.end()
  }

  /** Every client that is left can still send and receive more than any window has. */
  async proveWindows(): Promise<void> {
    const client = await h2Client(this.t, this.f)
    for (let turn = 0; turn < 6; turn += 1) {
      const asked = new StreamAsked(this.random, this.#count++, client, true)
      await this.#over([asked])
      if (!asked.isServed)
        this.problems.push(`${asked.token} was not served in the end: ${asked.state}`)
      if (asked.problem !== '') this.problems.push(asked.problem)
    }
  }
}

type StreamClient = ConstructorParameters<typeof StreamAsked>[2]

/** What open streams or parked bytes the connections still have. */
function leftInside(): string[] {
  const found: string[] = []
  for (const { role, open, inflow, isOver } of connections) {
    if (open === 0 && inflow.parked === 0) continue
    found.push(`${role}${isOver ? ', over' : ''}: ${open} open, ${inflow.parked} parked`)
  }
  return found
}

onBoth(t, 'http2 storm: every policy, every failure', async (t, kind) => {
  const seed = Number(process.env['STORM_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`STORM_SEED=${seed}`)
  connections.clear()
  const random = seededRandom(seed)
  const stormy = new StormyServer(random)
  const settings = [
    {},
    { maxConcurrentStreams: 3 },
    { initialWindowSize: 1000, maxConcurrentStreams: 1 + Math.floor(random() * 4) },
    {},
  ]
  const shadowed = new StormyServer(random)
  const servers = await Promise.all(
    settings.map(async (some, at) => {
      return H2Server.listen(at < MIRROR ? stormy.answer : shadowed.answer, some)
    }),
  )
  t.teardown(async () => {
    await Promise.all(servers.map(async (server) => server.close()))
  })
  const ports = servers.map(({ port }) => port)
  const shadow = ports[MIRROR] ?? 0
  const f = await L7.start(t, [...ports.slice(0, MIRROR), await refusingPort()], {
    kind,
    idleTimeout: 5000,
  })
  const { destination, reception } = f
  destination.wire = 'http2'
  const mirror = new Destination('outbound', 'mirror.default:80', f.pickerOf([shadow]), {
    ...{ connectTimeout: 1000, idleTimeout: 5000 },
  })
  mirror.wire = 'http2'
  f.services.set('mirror.default:80', mirror)
  if (random() < 0.7) {
    const outlier = {
      ...{ consecutiveFailures: 3, minSuccessRate: 0.3, slowerThanPeers: 5, minRequests: 10 },
      ...{ window: 2000, ejection: { base: 200, max: 1000 }, maxEjectedPercent: 80 },
      ...{ panicPercent: 30, slowStart: 500 },
    }
    const detection = new OutlierDetection(destination, outlier, reception)
    detection.watch(destination.picker.endpoints)
    destination.health = detection
  }
  const storm = new Storm(t, random, f)
  storm.change()
  let isCalm = false
  const ticking = setInterval(() => {
    f.clock.advance(20)
    if (!isCalm && random() < 0.03) storm.change()
  }, 2)
  const worker = async (isOld: boolean): Promise<void> => {
    for (let turn = 0; turn < TURNS; turn += 1) await (isOld ? storm.actOld() : storm.act())
  }
  await Promise.all([
    ...Array.from({ length: CLIENTS }, async () => worker(false)),
    ...Array.from({ length: 3 }, async () => worker(true)),
  ])
  const left = (): Record<string, number> => ({
    ...f.underWay,
    requests: destination.active + mirror.active,
    retrying: destination.retrying,
    copies: mirror.picker.endpoints[0]?.open ?? 0,
    alarms: reception.wheel.size,
    inside: leftInside().length,
  })
  const isAllOver = (): boolean => Object.values(left()).every((count) => count === 0)
  await until('everything is over', isAllOver, 5000).catch(() => undefined)
  for (const { problem } of storm.asked) if (problem !== '') storm.problems.push(problem)
  t.same([...storm.problems, ...stormy.problems, ...shadowed.problems], [])
  t.same(
    Object.values(left()).filter((count) => count !== 0),
    [],
    `${JSON.stringify(left())} ${leftInside().join('; ')}`,
  )
  t.equal(destination.open + mirror.open, f.connected, 'what is open is counted as open')
  for (const role of ['upstream', 'downstream'] as const) {
    t.equal(f.counters.http2Of('outbound', role).openStreams, 0, role)
  }
  const again = storm.asked.filter((a) => !a.mayRepeat && (stormy.processed.get(a.token) ?? 0) > 1)
  t.same(again, [], 'acted on once')
  const served = storm.asked.filter(({ isServed }) => isServed).length
  t.comment(`${storm.asked.length} requests, ${served} served, ${again.length} again`)
  isCalm = true
  storm.calm()
  await storm.proveWindows()
  clearInterval(ticking)
  t.same(storm.problems, [], 'in the end')
  const { retries, hedgesWon, mirrored, denied } = destination.resilience
  t.comment(f.statuses, f.failures)
  t.comment({ retries, denied, hedgesWon, mirrored }, f.refusals)
  t.comment(`${connections.size} connections`)
})
