// The demo's command line: `npm start -- [--once] [--rate N]`.

import { parseArgs } from 'node:util'

export interface Options {
  readonly isOnce: boolean
  /** Pages that the customers ask for in a second. */
  readonly rate: number
}

export const HELP: string = `npm start              the demo shop, with a live table, until Ctrl-C
npm start -- --once    a scripted tour with a verdict a line; exits 0 if all of it is ok, 1 if not

  --once       run the tour
  --rate N     pages a second that the customers ask for, 1 to 200 (default 12); each makes three to four requests
  --help       this text
`

/** The options, or what is wrong with them; undefined when help is asked for. */
export function parseOptions(args: readonly string[]): Options | string | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        once: { type: 'boolean' },
        rate: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help === true) return undefined
    const rate = values.rate ?? '12'
    if (!/^\d{1,3}$/.test(rate) || Number(rate) < 1 || Number(rate) > 200) {
      return `--rate must be a whole number from 1 to 200, but found ${JSON.stringify(rate)}`
    }
    return { isOnce: values.once === true, rate: Number(rate) }
  } catch (error) {
    return error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
  }
}
