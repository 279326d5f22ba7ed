// `npm start`: the shop in a world of its own, live or as a tour. Composition only.
//
// The outer process makes the world and waits; the inner one, first in the world, builds the shop. When either is
// told to end, the world ends, and the kernel takes every pod, rule and process with it.

import { runLive } from './live.ts'
import { HELP, type Options, parseOptions } from './options.ts'
import { isColoured, paintFor } from './paint.ts'
import { insideWorld, runInWorld, settleWorld, whyNoWorld } from './pods/world.ts'
import { Shop } from './shop.ts'
import { edited, killed, restarted, restartedAgain, restored, struck } from './steps-change.ts'
import { busy, toggled } from './steps-mode.ts'
import { counted, kept, multiplexed, refused, upgraded } from './steps-requests.ts'
import { faulted, setAside, timed } from './steps-resilience.ts'
import { balanced, captured, egress, ipv6, peer, selfCalls, serverFirst } from './steps-traffic.ts'
import { runTour } from './tour.ts'

const SELF = 'build/demo/main.js'
const USAGE = 2
const INTERRUPTED = 130
const TRAFFIC = [captured, peer, balanced, selfCalls, ipv6, serverFirst, egress]
const REQUESTS = [busy, toggled, counted, refused, upgraded, multiplexed, kept]
const RESILIENCE = [setAside, faulted, timed]
const CHANGE = [killed, restarted, struck, restartedAgain, edited, restored]

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (options === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n\n${HELP}`)
    return USAGE
  }
  return insideWorld() ? await inside(options) : await outside(args)
}

async function outside(args: readonly string[]): Promise<number> {
  const why = whyNoWorld()
  if (why !== undefined) {
    process.stderr.write(`${why}\n`)
    return 1
  }
  return await runInWorld(SELF, args)
}

async function inside(options: Options): Promise<never> {
  await settleWorld(() => {
    process.stdout.write('\nEnded: pods, rules and processes are gone.\n')
    process.exit(options.isOnce ? INTERRUPTED : 0)
  })
  const paint = paintFor(isColoured(process.stdout, process.env))
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`)
  }
  try {
    const start = performance.now()
    print(
      `${paint.bold('Underpass demo shop')}: customer -> web -> reviews x3 -> ratings, web -> mail`,
    )
    const shop = await Shop.open((step, detail) => {
      const time = ((performance.now() - start) / 1000).toFixed(1)
      print(`${paint.dim(`${time} s`)}  ${step.padEnd(9)} ${detail}`)
    })
    if (!options.isOnce) return await runLive(shop, options.rate)
    print('')
    process.exit(
      (await runTour(shop, [...TRAFFIC, ...REQUESTS, ...RESILIENCE, ...CHANGE], paint, print))
        ? 0
        : 1,
    )
  } catch (error) {
    process.stderr.write(
      `${paint.red('FAILED')}  ${error instanceof Error ? error.message : String(error)}\n`,
    )
    process.exit(1)
  }
}
