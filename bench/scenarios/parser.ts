// The HTTP/1.1 codec by itself: processor time per message of ours, of http-parser-js and of Node's llhttp.
//
// `ours` is what the proxy does: framing, every rule, fields as offsets. `ours, all decoded` makes a string of every
// name and value besides, which the other two cannot but do.

import { HEADS } from '../parser-heads.ts'
import { openLlhttp } from '../parser-llhttp.ts'
import { PARSERS } from '../parser-names.ts'
import { type Contender, KILO, MEGA, type Scenario } from './scenario.ts'

const ENTRY = new URL('../parser-run.js', import.meta.url).pathname
/** More tells no more: it is thousands of messages, and nothing waits. */
const MOST_MS = 300

function parse(name: string, head: string): Scenario {
  return {
    name,
    title: `Parsing ${head} (${HEADS[head]?.length ?? 0} bytes)`,
    connections: 0,
    ours: PARSERS[0],
    compared: 'speed',
    metrics: [
      { key: 'nanos', title: 'ns/message', digits: 0 },
      { key: 'speed', title: 'messages/ms', digits: 0 },
    ],
    limit: () => 0,
    contenders: () =>
      PARSERS.filter((parser) => parser !== 'llhttp' || openLlhttp() !== undefined).map((parser) =>
        contender(parser, head),
      ),
  }
}

function contender(parser: string, head: string): Contender {
  return {
    name: parser,
    async measure({ stage, seconds }) {
      const millis = Math.min(MOST_MS, seconds * KILO)
      const command = [process.execPath, ENTRY, parser, head, String(millis)]
      const child = stage.start('proxy', command)
      await child.exited
      const nanos = Number(child.stdout.trim())
      if (child.exit?.code !== 0 || !(nanos > 0)) throw new Error(child.describe())
      return { nanos, speed: MEGA / nanos }
    },
  }
}

export const PARSING: readonly Scenario[] = [
  parse('parser-api', 'small API call'),
  parse('parser-browser', 'browser, 2 KB of cookies'),
  parse('parser-fields', '40 fields'),
]
