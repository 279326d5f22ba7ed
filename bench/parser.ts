// The parser benchmark: nanoseconds per message of our HTTP/1.1 codec, http-parser-js and Node's llhttp.
//
// Every figure is from a fresh process; the parsers take turns, the order is reversed each round, and the table has
// the median with all the raw values below. `ours` is what the proxy does: framing, every rule, fields as offsets.
// `ours, all decoded` makes a string of every name and value besides, which the other two cannot but do.
// Run by `node build/bench/parser.js [rounds] [milliseconds]`.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { HEADS } from './parser-heads.ts'
import { openLlhttp } from './parser-llhttp.ts'
import { median } from './statistics.ts'

const PARSERS = ['ours', 'ours, all decoded', 'http-parser-js', 'llhttp']
const ENTRY = join(import.meta.dirname, 'parser-run.js')

function measure(parser: string, head: string, milliseconds: number): number {
  const run = spawnSync(process.execPath, [ENTRY, parser, head, `${milliseconds}`], {
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(`${parser}, ${head}: ${run.stderr}`)
  return Number(run.stdout)
}

function report(head: string, results: ReadonlyMap<string, readonly number[]>): void {
  const ours = median(results.get('ours') ?? [])
  const write = (text: string): boolean => process.stdout.write(`${text}\n`)
  write(`\n${head} (${HEADS[head]?.length ?? 0} bytes)`)
  for (const [parser, values] of results) {
    const middle = median(values)
    const raw = values.map((value) => value.toFixed(0)).join(' ')
    write(
      `  ${parser.padEnd(18)} ${middle.toFixed(0).padStart(7)} ns  ${(middle / ours).toFixed(2).padStart(6)} x ours   [${raw}]`,
    )
  }
}

function main(rounds: number, milliseconds: number): void {
  const parsers = openLlhttp() === undefined ? PARSERS.slice(0, -1) : PARSERS
  process.stdout.write(`Node ${process.version}, ${rounds} rounds, ${milliseconds} ms each\n`)
  for (const head of Object.keys(HEADS)) {
    const results = new Map<string, number[]>(parsers.map((parser) => [parser, []]))
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? parsers : parsers.toReversed()
      for (const parser of order) results.get(parser)?.push(measure(parser, head, milliseconds))
    }
    report(head, results)
  }
}

main(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 300))
