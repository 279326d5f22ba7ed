// What the benchmark's clients have in common: their orders from the command line, marks at which they wait until
// whoever started them has read the proxy's books, one line of figures at the end, and exit status 1 on any error.

import { createInterface } from 'node:readline'

export interface Orders {
  readonly port: number
  readonly connections: number
  readonly warmup: number
  readonly seconds: number
}

/** What a client found: numbers by name. */
export type Figures = Readonly<Record<string, number>>

/** Says that a point is reached, and resolves when told to go on. */
export type Mark = (name: string) => Promise<void>

/** Runs `work` and prints its figures. */
export async function client(
  work: (orders: Orders, mark: Mark) => Promise<Figures>,
): Promise<void> {
  const input = createInterface({ input: process.stdin })
  // Nobody to report to: whoever started this client is gone.
  input.once('close', () => process.exit(1))
  const mark: Mark = async (name) => {
    await new Promise<void>((resolve) => {
      input.once('line', () => {
        resolve()
      })
      process.stdout.write(`mark ${name}\n`)
    })
  }
  try {
    const figures = await work(readOrders(process.argv.slice(2)), mark)
    process.stdout.write(`figures ${JSON.stringify(figures)}\n`, () => process.exit(0))
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${text}\n`, () => process.exit(1))
  }
}

function readOrders(words: readonly string[]): Orders {
  const [port = Number.NaN, connections = Number.NaN, warmup = Number.NaN, seconds = Number.NaN] =
    words.map(Number)
  if ([port, connections, warmup, seconds].some(Number.isNaN)) {
    throw new Error('usage: PORT CONNECTIONS WARMUP SECONDS')
  }
  return { port, connections, warmup, seconds }
}
