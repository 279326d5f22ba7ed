// The live demo: steady traffic and a table of what the sidecars carry, until Ctrl-C.
//
// On a terminal the table is redrawn in place every second; anywhere else a block is printed every five. What web's
// sidecar balances is switched from time to time, so that both modes are seen; whoever switches it by hand keeps it.

import { sideBySide } from './bars.ts'
import { BUSY, Callers, countsOf, QUIET } from './callers.ts'
import { type Flow, type Histogram, latenciesOf, quantile, sum } from './metrics.ts'
import { isColoured, type Paint, paintFor } from './paint.ts'
import { enterCommand } from './pods/world.ts'
import { REVIEWS, type Shop } from './shop.ts'
import type { Mode } from './sidecar.ts'
import { cut, type Row, renderTable } from './table.ts'

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const CLEAR_BELOW = '\u001b[J'
/** Rates, latencies and shares are of so many milliseconds. */
const WINDOW = 5000
/** How long web's sidecar stays in a mode, in milliseconds. */
const STAY = 15_000
const LEGEND =
  'Of the last 5 s; failed: since the start. At L4 a sidecar sees no requests (-). Mail is not HTTP.'
const NAMES = { l4: 'connections (L4)', l7: 'requests (L7)' } as const

interface PodReading {
  readonly flows: readonly Flow[]
  readonly mode: Mode
}

interface Reading {
  readonly time: number
  /** By pod; a pod whose sidecar does not answer is left out. */
  readonly pods: ReadonlyMap<string, PodReading>
}

/** Runs until the process is told to end. */
export async function runLive(shop: Shop, rate: number): Promise<never> {
  const screen = process.stdout
  if (screen.isTTY) {
    screen.write(HIDE_CURSOR)
    process.on('exit', () => screen.write(SHOW_CURSOR))
  }
  screen.write(`\n${header(shop)}\n`)
  const comparison = new Comparison(shop)
  await comparison.begin()
  await shop.customer(`rate ${rate}`)
  const readings = [await read(shop)]
  const start = performance.now()
  let drawn = 0
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, screen.isTTY ? 1000 : WINDOW))
    const now = await read(shop)
    await comparison.count()
    readings.push(now)
    while ((readings[1]?.time ?? now.time) <= now.time - WINDOW) readings.shift()
    const lines = draw(shop, readings[0] ?? now, now, comparison, performance.now() - start)
    screen.write(screen.isTTY && drawn > 0 ? `\u001b[${drawn}A\r${CLEAR_BELOW}` : '')
    screen.write(`${lines.join('\n')}\n`)
    drawn = lines.length
    // What was counted in one mode says nothing of the other.
    if (await comparison.turn(now.pods.get('web')?.mode))
      readings.splice(0, readings.length, await read(shop))
  }
}

function header(shop: Shop): string {
  const inWeb = `${enterCommand()} ip netns exec ${shop.pod('web').netns}`
  return `All traffic between these pods goes through two sidecars. From another terminal, web's sidecar is
switched by hand (to l4 or l7) and stays so, and its metrics and its pod's rules are shown, by
  ${inWeb} curl -sX PUT '127.0.0.1:15000/mode?to=l7'
  ${inWeb} curl -s 127.0.0.1:15000/metrics
  ${inWeb} iptables-save -t nat
Ctrl-C ends it and takes everything away.
`
}

/** The two callers of the reviews, and who answered them while web's sidecar was in either mode. */
class Comparison {
  readonly #shop: Shop
  readonly #callers: Callers
  readonly #counts: Partial<Record<Mode, readonly number[]>> = {}
  #failed = 0
  #mode: Mode = 'l4'
  #until = 0
  #isByHand = false

  constructor(shop: Shop) {
    this.#shop = shop
    this.#callers = new Callers(shop)
  }

  async begin(): Promise<void> {
    await this.#switch('l4')
  }

  async count(): Promise<void> {
    const report = await this.#callers.report()
    this.#counts[this.#mode] = countsOf(report)
    this.#failed = report.busy.failed + report.quiet.failed
  }

  /** Switches when it is time to, and makes new connections when somebody else has. True if it is another mode now. */
  async turn(mode: Mode | undefined): Promise<boolean> {
    if (mode === undefined) return false
    if (mode !== this.#mode) {
      this.#isByHand = true
      this.#mode = mode
      await this.#callers.begin()
      return true
    }
    if (this.#isByHand || performance.now() < this.#until) return false
    await this.#switch(this.#mode === 'l4' ? 'l7' : 'l4')
    return true
  }

  /** What web's sidecar balances, and for how long. */
  describe(): string {
    const other = this.#mode === 'l4' ? 'l7' : 'l4'
    const rest = Math.max(0, Math.ceil((this.#until - performance.now()) / 1000))
    const next = this.#isByHand ? 'switched by hand' : `next ${NAMES[other]} in ${rest} s`
    return `web's sidecar balances ${NAMES[this.#mode]}, ${next}`
  }

  lines(width: number, paint: Paint): string[] {
    const columns = (['l4', 'l7'] as const).map((mode) => ({
      title: `${NAMES[mode]} balanced${mode === this.#mode ? ', now' : ''}`,
      counts: this.#counts[mode],
    }))
    const [head = '', ...rest] = sideBySide(REVIEWS, columns)
    const title = `Callers of reviews: 1 connection with ${BUSY.rate} requests/s, ${QUIET.connections} with ${QUIET.rate / QUIET.connections} each. Who answers:`
    const failed = `${this.#failed} of their requests failed`
    return [
      cut(title, width),
      paint.dim(cut(head, width)),
      ...rest.map((line) => paint.cyan(cut(line, width))),
      ...(this.#failed === 0 ? [] : [paint.red(cut(failed, width))]),
    ]
  }

  async #switch(mode: Mode): Promise<void> {
    await this.#shop.sidecar('web').setMode(mode)
    this.#mode = mode
    this.#until = performance.now() + STAY
    await this.#callers.begin()
  }
}

async function read(shop: Shop): Promise<Reading> {
  const pods = new Map<string, PodReading>()
  await Promise.all(
    shop.sidecars.map(async (sidecar) => {
      try {
        pods.set(sidecar.pod.name, { flows: await sidecar.flows(), mode: await sidecar.mode() })
      } catch {
        // It is shown as missing below: a sidecar that does not answer is news, not an end.
      }
    }),
  )
  return { time: performance.now(), pods }
}

function draw(
  shop: Shop,
  before: Reading,
  now: Reading,
  comparison: Comparison,
  elapsed: number,
): string[] {
  const paint = paintFor(isColoured(process.stdout, process.env))
  const width = process.stdout.isTTY ? process.stdout.getWindowSize()[0] : 120
  const seconds = Math.round(elapsed / 1000)
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  const title = paint.bold(cut(`${time}  ${comparison.describe()}`, width))
  const missing = shop.sidecars.filter(({ pod }) => !now.pods.has(pod.name))
  const warnings = missing.map(({ pod }) => paint.red(`no answer from the sidecar of ${pod.name}`))
  const table = renderTable(rowsOf(shop, before, now), width, paint)
  const legend = paint.dim(cut(LEGEND, width))
  return [title, '', ...table, legend, '', ...comparison.lines(width, paint), ...warnings, '']
}

function rowsOf(shop: Shop, before: Reading, now: Reading): Row[] {
  const row = (from: string, to: string, callers: readonly string[], direction: string): Row => {
    const pick = ({ pods }: Reading): Flow[] =>
      callers
        .flatMap((name) => pods.get(name)?.flows ?? [])
        .filter((flow) => flow.direction === direction)
        .filter((flow) => direction === 'inbound' || flow.service.startsWith(`${to}.`))
    const [old, flows] = [pick(before), pick(now)]
    const [was, is] = [sum(old), sum(flows)]
    const perSecond = (key: 'requests' | 'opened' | 'received' | 'sent'): number =>
      (Math.max(0, is[key] - was[key]) * 1000) / (now.time - before.time)
    // Mail is no HTTP: its connections are carried as they are, whatever the mode.
    const isL7 = to !== 'mail' && callers.some((name) => now.pods.get(name)?.mode === 'l7')
    const latencies: Histogram = isL7 ? latenciesOf(flows, latenciesOf(old)) : new Map()
    return {
      ...{ from, to, mode: isL7 ? 'L7' : 'L4', open: is.open, failed: is.failures + is.failed },
      ...{ requests: isL7 ? perSecond('requests') : undefined, connections: perSecond('opened') },
      ...{ p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
      ...{ received: perSecond('received'), sent: perSecond('sent') },
      shares: to === 'reviews' ? sharesOf(shop, old, flows, isL7 ? 'requests' : 'opened') : [],
    }
  }
  return [
    row('customer', 'web', ['web'], 'inbound'),
    row('web', 'reviews', ['web'], 'outbound'),
    row('reviews', 'ratings', REVIEWS, 'outbound'),
    row('web', 'mail', ['web'], 'outbound'),
  ]
}

function sharesOf(
  shop: Shop,
  old: readonly Flow[],
  flows: readonly Flow[],
  key: 'requests' | 'opened',
): Row['shares'] {
  return REVIEWS.map((name) => {
    const { ip } = shop.pod(name)
    const own = (all: readonly Flow[]): number =>
      sum(all.filter((flow) => flow.endpoint.startsWith(`${ip}:`)))[key]
    return { name: `${name} ${ip}`, count: Math.max(0, own(flows) - own(old)) }
  })
}
