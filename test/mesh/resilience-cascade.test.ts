// Four applications in a row, each asking the next; the last one is stopped for some seconds while requests keep coming
// that have two seconds each. With the strategies of the mesh nobody waits longer, nothing is begun that nobody waits
// for, and it is over when the stall is over. Without them it is not, which is shown too.
//
// The stall is one of 8 s; STALL_SECONDS=30 makes it longer.

import t, { type Test } from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { policy, service } from '../support/manifests.ts'
import { type Fields, Mesh, type SidecarPod } from '../support/mesh.ts'
import { type LoadReport, lineOf, OpenLoad, type Stretch, success } from '../support/open-load.ts'
import { ServiceApp } from '../support/service-app.ts'
import type { ServiceStats } from '../support/service-program.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/resilience-cascade'

const NAMES = ['a', 'b', 'c', 'd'] as const
const STALL = Number(process.env['STALL_SECONDS'] ?? 8)
/** Requests a second; the last application manages 190. */
const RATE = 120
const LAST = { serviceMs: 20, concurrency: 4 }
/** Requests that each sidecar lets its application work on at once. */
const LIMIT = 16
/** The others hardly work and mostly wait. */
const OTHERS = { serviceMs: 1, concurrency: 10_000 }
/** Milliseconds that a request has, and what a busy machine may add to it. */
const DEADLINE = 2000
const TOLERANCE = 100
/** Seconds after the stall in which it is to be as before, and how long that is watched. */
const RECOVERY = 5
const WATCH = 2

interface Side {
  readonly name: string
  readonly config: Fields
  readonly policy: Fields
}

interface Cascade {
  readonly report: LoadReport
  /** When the last application was stopped and let go, in milliseconds since 1970. */
  readonly frozen: number
  readonly thawed: number
  readonly stats: readonly ServiceStats[]
}

async function run(t: Test, side: Side): Promise<Cascade> {
  const mesh = await Mesh.open(t, side.config)
  const [client, ...pods] = await Promise.all(
    ['client', ...NAMES].map(async (name) => await mesh.meshed(name)),
  )
  if (client === undefined) throw new Error('no client')
  const urlOf = (at: number): string => `http://198.19.0.${10 + at}/`
  const start = async (pod: SidecarPod, at: number): Promise<ServiceApp> => {
    const isLast = at === NAMES.length - 1
    const options = isLast ? LAST : { ...OTHERS, next: urlOf(at + 1) }
    return await ServiceApp.start(mesh, pod, { ...options, passes: 'trace' })
  }
  const apps = await Promise.all(pods.map(start))
  const last = apps.at(-1)
  if (last === undefined) throw new Error('no applications')
  const resources = pods.flatMap(({ ip }, at) => {
    const name = NAMES[at] ?? ''
    const endpoints = [{ ip }]
    const one = { name, ips: [`198.19.0.${10 + at}`], port: 80, target: 8080, endpoints }
    // The time is given to the first of them alone; the others hear of it by the trace.
    return [...service(one), policy(name, at === 0 ? side.policy : {})]
  })
  await mesh.publish('row.yaml', resources)
  t.same(client.sidecar.find({ event: 'discovery-refused' }), [])
  // Programs that have just begun are slow, and what they are slow at is not what is judged here.
  const warming = await OpenLoad.start(client, { url: urlOf(0), rate: RATE / 3 })
  await warming.goesOn(1)
  await warming.stop()
  const options = { url: urlOf(0), rate: RATE, deadline: DEADLINE, traces: true }
  const load = await OpenLoad.start(client, options)
  await load.goesOn(2)
  const frozen = last.freeze()
  await load.goesOn(STALL)
  const thawed = last.thaw()
  await load.goesOn(RECOVERY + WATCH)
  const report = await load.stop()
  const stats = await Promise.all(apps.map(async (app) => await app.stats()))
  const cascade = { report, frozen, thawed, stats }
  tell(t, side.name, cascade)
  return cascade
}

/** What had left well before the stall. */
function before({ report, frozen }: Cascade): Stretch {
  return report.between(report.loaded.startedAt, frozen - 500)
}

/** Answered with 200, within its time. */
function inTime({ loaded }: LoadReport, from: number, to: number): { ok: number; sent: number } {
  const { startedAt, samples } = loaded
  const inside = samples.filter(([at]) => startedAt + at >= from && startedAt + at < to)
  const ok = inside.filter(([, ms, status]) => status === 200 && ms <= DEADLINE + TOLERANCE)
  return { ok: ok.length, sent: inside.length }
}

/** After the time in which it was to recover. */
function recovered({ report, thawed }: Cascade): number {
  const from = thawed + RECOVERY * 1000
  const { ok, sent } = inTime(report, from, from + WATCH * 1000 - 500)
  return ok / sent
}

/** Of all applications: requests that were begun after their time. */
function late({ stats }: Cascade): number {
  return stats.flatMap(({ begunLate }) => begunLate).filter((ms) => ms > TOLERANCE).length
}

function tell(t: Test, what: string, cascade: Cascade): void {
  const { report, frozen, thawed, stats } = cascade
  report.comment(t, what)
  t.comment(`${what}: before ${lineOf(before(cascade))}`)
  t.comment(`${what}: stalled ${lineOf(report.between(frozen, thawed))}`)
  const over = report.waitsOver(DEADLINE + TOLERANCE)
  t.comment(`${what}: ${over.length} waited longer than they had, the longest ${over[0]?.[1]} ms`)
  for (const [
    at,
    { arrived, begun, dropped, readLate, begunLate, longestQueue },
  ] of stats.entries()) {
    const worst = (list: readonly number[]): string =>
      `${list.filter((ms) => ms > TOLERANCE).length} (by ${Math.max(0, ...list)} ms)`
    t.comment(
      `${what}: ${NAMES[at]} read ${arrived}, late ${worst(readLate)}; began ${begun}, late ${worst(begunLate)}; left off ${dropped}; longest queue ${longestQueue}`,
    )
  }
  const share = (100 * recovered(cascade)).toFixed(2)
  t.comment(`${what}: ${RECOVERY} s after the stall ${share} % succeed in time`)
}

t.test('resilience: a stall at the end of a row', { skip }, async (t) => {
  await t.test('resilience: without strategies it is felt long after it', async (t) => {
    const cascade = await run(t, { name: 'bare', config: {}, policy: {} })
    const { report } = cascade
    t.ok(success(before(cascade)) >= 0.999, 'all is well before')
    t.ok(report.waitsOver(DEADLINE + TOLERANCE).length > RATE, 'people wait')
    t.ok(late(cascade) > RATE, 'for what nobody needs any more')
    t.ok(recovered(cascade) < 0.9, 'and go on to')
  })

  await t.test('resilience: with them nobody waits, and it is over with the stall', async (t) => {
    const policy = { timeouts: { request: `${DEADLINE}ms` } }
    const config = { inbound: { transparent: '[::]:15006', concurrency: { limit: LIMIT } } }
    const cascade = await run(t, { name: 'strategies', config, policy })
    const { report } = cascade
    t.ok(success(before(cascade)) >= 0.999, 'all is well before')
    t.same(report.waitsOver(DEADLINE + TOLERANCE), [], 'nobody waits longer than that')
    t.equal(late(cascade), 0, 'no application begins what nobody waits for')
    t.ok(recovered(cascade) >= 0.999)
    // Also to an application that would not look whether anybody waits: those at work when it stopped, and probes.
    const read = cascade.stats.at(-1)?.readLate.length ?? 0
    t.ok(read <= LIMIT + 2 * STALL, `${read} lay in its sockets for longer than they had`)
  })
})
