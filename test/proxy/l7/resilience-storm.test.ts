// Everything that a policy can ask for at once, over real connections, under peers that do everything wrong: every
// request is answered once or cut off, with the answer to itself, what may not be sent again is sent once, and
// afterwards nothing is left.
//
// The seed is printed; `STORM_SEED` repeats a run as far as the network lets it.

import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { OutlierDetection } from '../../../src/proxy/resilience/outlier-detection.ts'
import { SlidingBudget } from '../../../src/proxy/resilience/sliding-budget.ts'
import { Destination } from '../../../src/proxy/stack/destination.ts'
import type { RawClient } from '../../support/http-peer.ts'
import { until } from '../../support/until.ts'
import { backend, L7, onBoth, refusingPort } from './fixture.ts'
import { StormDice } from './storm-dice.ts'
import { Asked, isRightlyAnswered, stormyApplication } from './storm-peers.ts'

const AT_ONCE = 16
const EACH = 14
/** Of the clock that is turned: longer than any time of a policy. */
const PATIENCE = 30_000

class Storm extends StormDice {
  readonly f: L7
  readonly problems: string[] = []
  readonly asked: Asked[] = []

  constructor(random: Random, f: L7) {
    super(random)
    this.f = f
  }

  /** Discovery has news. */
  change(): void {
    const { destination } = this.f
    this.changePolicy(destination, [1, 6], [4, 12])
    destination.maxPendingRequests = this.random() < 0.2 ? this.below(8) : 1024
    if (this.random() < 0.3) {
      const rules = { percent: 50, minPerSecond: this.below(20), window: 1000 }
      destination.retryBudget = new SlidingBudget(rules)
    }
  }

  async act(client: RawClient): Promise<void> {
    const mine: Asked[] = []
    const pipelines = this.random() < 0.4
    for (let turn = 1 + this.below(4); turn > 0 && !client.closed && !client.ended; turn -= 1) {
      const asked = new Asked(this.random, this.asked.length)
      this.asked.push(asked)
      mine.push(asked)
      await this.#send(client, asked)
      if (!pipelines) await this.#answers(client, mine)
      if (this.random() < 0.05) break
    }
    const way = this.random()
    if (way < 0.15) client.reset()
    else {
      if (way < 0.3) client.end()
      await this.#answers(client, mine)
    }
    const problem = isRightlyAnswered(client.text, mine)
    if (problem !== '') this.problems.push(problem)
    client.end()
  }

  async #send(client: RawClient, { text }: Asked): Promise<void> {
    const { socket } = client
    const count = this.random() < 0.5 ? 1 : 2 + this.below(4)
    const size = Math.ceil(text.length / count)
    for (let at = 0; at < text.length; at += size) {
      if (!socket.writable) return
      socket.write(text.slice(at, at + size), 'latin1')
      if (this.random() < 0.1) client.pause()
      if (count > 1) await setTimeout(this.random() * 8)
      client.resume()
      if (this.random() < 0.02) client.reset()
    }
  }

  async #answers(client: RawClient, mine: readonly Asked[]): Promise<void> {
    const { clock } = this.f
    const end = clock.now() + PATIENCE
    const isOver = (): boolean =>
      client.closed || client.ended || isRightlyAnswered(client.text, mine, true) !== ''
    await until('its answers', () => isOver() || clock.now() > end, 30_000)
    if (isOver()) return
    const last = mine.at(-1)
    this.problems.push(`no answer to ${last?.token}: ${JSON.stringify(client.text.slice(-300))}`)
    client.reset()
  }
}

onBoth(t, 'storm: every policy, every failure', async (t, kind) => {
  const seed = Number(process.env['STORM_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`STORM_SEED=${seed}`)
  const random = seededRandom(seed)
  const servers = await Promise.all(
    [1, 2, 3].map(async () => backend(t, stormyApplication(random))),
  )
  const shadow = await backend(t, stormyApplication(random))
  const f = await L7.start(t, [...servers, await refusingPort()], { kind, idleTimeout: 5000 })
  const { destination, reception } = f
  const mirror = new Destination('outbound', 'mirror.default:80', f.pickerOf([shadow]), {
    ...{ connectTimeout: 1000, idleTimeout: 5000 },
  })
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
  const storm = new Storm(random, f)
  storm.change()
  const ticking = setInterval(() => {
    f.clock.advance(20)
    if (random() < 0.03) storm.change()
  }, 2)
  const worker = async (): Promise<void> => {
    for (let turn = 0; turn < EACH; turn += 1) await storm.act(await f.client())
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const left = (): Record<string, number> => ({
    ...f.underWay,
    requests: destination.active + mirror.active,
    retrying: destination.retrying,
    copies: mirror.picker.endpoints[0]?.open ?? 0,
    alarms: reception.wheel.size,
  })
  const isAllOver = (): boolean => Object.values(left()).every((count) => count === 0)
  await until('everything is over', isAllOver, 5000).catch(() => undefined)
  clearInterval(ticking)
  t.same(storm.problems, [])
  t.same(
    Object.values(left()).filter((count) => count !== 0),
    [],
    JSON.stringify(left()),
  )
  t.equal(destination.open + mirror.open, f.connected, 'what is open is counted as open')
  const received = servers.map((server) => server.received).join('\n')
  for (const { token, mayRepeat } of storm.asked) {
    if (!mayRepeat) t.ok(received.split(`X-Token: ${token}\r\n`).length <= 2, `${token} once`)
  }
  const { retries, hedgesWon, mirrored, denied } = destination.resilience
  t.comment(`${storm.asked.length} requests`, f.statuses, f.failures)
  t.comment({ retries, denied, hedgesWon, mirrored }, f.refusals)
})
