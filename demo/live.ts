// The live demo: steady traffic and a table of what the sidecars carry, until Ctrl-C.
//
// On a terminal the table is redrawn in place every second; anywhere else a block is printed every five.

import { type Flow, sum } from './metrics.ts'
import { isColoured, paintFor } from './paint.ts'
import { enterCommand } from './pods/world.ts'
import { REVIEWS, type Shop } from './shop.ts'
import { type Row, renderTable } from './table.ts'

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const CLEAR_BELOW = '\u001b[J'

interface Reading {
  readonly time: number
  /** By pod; a pod whose sidecar does not answer is left out. */
  readonly flows: ReadonlyMap<string, readonly Flow[]>
}

/** Runs until the process is told to end. */
export async function runLive(shop: Shop, rate: number): Promise<never> {
  const screen = process.stdout
  if (screen.isTTY) {
    screen.write(HIDE_CURSOR)
    process.on('exit', () => screen.write(SHOW_CURSOR))
  }
  screen.write(`\n${header(shop)}\n`)
  await shop.customer(`rate ${rate}`)
  const start = performance.now()
  let before = await read(shop)
  let drawn = 0
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, screen.isTTY ? 1000 : 5000))
    const now = await read(shop)
    const lines = draw(shop, before, now, performance.now() - start)
    screen.write(screen.isTTY && drawn > 0 ? `\u001b[${drawn}A\r${CLEAR_BELOW}` : '')
    screen.write(`${lines.join('\n')}\n`)
    drawn = lines.length
    before = now
  }
}

function header(shop: Shop): string {
  const netns = shop.pod('web').netns
  return `Every connection between these pods goes through two sidecars. Look inside from another terminal:
  ${enterCommand()} ip netns exec ${netns} curl -s 127.0.0.1:15000/metrics
  ${enterCommand()} ip netns exec ${netns} iptables-save -t nat
Ctrl-C ends it and takes everything away.
`
}

async function read(shop: Shop): Promise<Reading> {
  const flows = new Map<string, readonly Flow[]>()
  await Promise.all(
    shop.sidecars.map(async (sidecar) => {
      try {
        flows.set(sidecar.pod.name, await sidecar.flows())
      } catch {
        // It is shown as missing below: a sidecar that does not answer is news, not an end.
      }
    }),
  )
  return { time: performance.now(), flows }
}

function draw(shop: Shop, before: Reading, now: Reading, elapsed: number): string[] {
  const paint = paintFor(isColoured(process.stdout, process.env))
  const width = process.stdout.isTTY ? process.stdout.getWindowSize()[0] : 120
  const seconds = Math.round(elapsed / 1000)
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  const title = `${paint.bold('Underpass demo shop')}  ${paint.dim(time)}`
  const missing = shop.sidecars.filter(({ pod }) => !now.flows.has(pod.name))
  const warnings = missing.map(({ pod }) => paint.red(`no answer from the sidecar of ${pod.name}`))
  return [title, '', ...renderTable(rowsOf(shop, before, now), width, paint), ...warnings, '']
}

function rowsOf(shop: Shop, before: Reading, now: Reading): Row[] {
  const row = (from: string, to: string, callers: readonly string[], direction: string): Row => {
    const pick = (reading: Reading): Flow[] =>
      callers
        .flatMap((name) => reading.flows.get(name) ?? [])
        .filter((flow) => flow.direction === direction)
        .filter((flow) => direction === 'inbound' || flow.service.startsWith(`${to}.`))
    const [old, flows] = [pick(before), pick(now)]
    const [was, is] = [sum(old), sum(flows)]
    const seconds = (now.time - before.time) / 1000
    const rate = (key: 'opened' | 'received' | 'sent'): number =>
      Math.max(0, is[key] - was[key]) / seconds
    return {
      ...{ from, to, open: is.open, opened: is.opened, failures: is.failures },
      ...{ perSecond: rate('opened'), received: rate('received'), sent: rate('sent') },
      shares: to === 'reviews' ? sharesOf(shop, flows) : [],
    }
  }
  return [
    row('customer', 'web', ['web'], 'inbound'),
    row('web', 'reviews', ['web'], 'outbound'),
    row('reviews', 'ratings', REVIEWS, 'outbound'),
    row('web', 'mail', ['web'], 'outbound'),
  ]
}

function sharesOf(shop: Shop, flows: readonly Flow[]): Row['shares'] {
  return REVIEWS.map((name) => {
    const { ip } = shop.pod(name)
    const own = flows.filter((flow) => flow.endpoint.startsWith(`${ip}:`))
    return { name: `${name} ${ip}`, opened: sum(own).opened }
  })
}
