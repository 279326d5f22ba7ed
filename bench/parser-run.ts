// One measurement: one parser, one head, in this fresh process; prints nanoseconds per message.
//
// Every parser is given the same bytes in one piece, again and again on one connection, and must come to the end
// of each message; how many it saw is checked. Run by scenarios/parser.ts.

import { HTTPParser } from 'http-parser-js'
import { Event } from '../src/proxy/http/h1/event.ts'
import { RequestReader } from '../src/proxy/http/h1/request-reader.ts'
import { DEFAULT_LIMITS } from '../src/proxy/http/limits.ts'
import { HEADS } from './parser-heads.ts'
import { openLlhttp } from './parser-llhttp.ts'
import type { ParserName } from './parser-names.ts'

/** Reads `bytes` once; every call is one message. */
type Read = (bytes: Buffer) => void

let messages = 0
let sink = 0

function ours(decode: boolean): Read {
  const reader = new RequestReader(DEFAULT_LIMITS)
  const { head } = reader
  return (bytes) => {
    let at = 0
    for (;;) {
      const event = reader.read(bytes, at, bytes.length)
      at = reader.position
      if (event === Event.more) return
      if (event === Event.refused) throw new Error(`refused for ${reader.refusal}`)
      if (event === Event.end) messages++
      if (event === Event.head && decode) {
        sink += head.methodText.length + head.target.length
        for (let i = 0; i < head.count; i++) sink += head.nameAt(i).length + head.valueAt(i).length
      }
    }
  }
}

function httpParserJs(): Read {
  const parser = new HTTPParser(HTTPParser.REQUEST)
  parser[HTTPParser.kOnHeadersComplete] = (info) => {
    sink += info.headers.length
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    messages++
  }
  return (bytes) => {
    if (typeof parser.execute(bytes) !== 'number') throw new Error('http-parser-js refused')
  }
}

function llhttp(): Read {
  const library = openLlhttp()
  if (library === undefined) throw new Error('this Node has no door to llhttp')
  const { HTTPParser: Parser } = library
  const parser = new Parser()
  parser.initialize(Parser.REQUEST, {}, 64 * 1024)
  // More than 32 fields come in several calls of kOnHeaders, as they do in node:http.
  parser[Parser.kOnHeaders] = (headers: readonly string[]) => {
    sink += headers.length
  }
  parser[Parser.kOnHeadersComplete] = () => 0
  parser[Parser.kOnMessageComplete] = () => {
    messages++
  }
  return (bytes) => {
    if (typeof parser.execute(bytes) !== 'number') throw new Error('llhttp refused')
  }
}

const READERS: Readonly<Record<ParserName, () => Read>> = {
  ours: () => ours(false),
  'ours, all decoded': () => ours(true),
  'http-parser-js': httpParserJs,
  llhttp,
}

function main(parser: string, name: string, milliseconds: number): void {
  const bytes = HEADS[name]
  const open = Object.entries(READERS).find(([known]) => known === parser)?.[1]
  if (bytes === undefined || open === undefined) throw new Error(`unknown: ${parser}, ${name}`)
  const read = open()
  run(read, bytes, milliseconds / 2)
  const before = messages
  const { count, nanoseconds } = run(read, bytes, milliseconds)
  if (messages - before !== count) throw new Error(`${parser} saw ${messages - before} of ${count}`)
  process.stdout.write(`${nanoseconds / count}\n`)
  if (sink < 0) process.stdout.write('')
}

/** Processor time, not time on the wall: other work on the machine does not count, this process's garbage does. */
function run(
  read: Read,
  bytes: Buffer,
  milliseconds: number,
): { count: number; nanoseconds: number } {
  const begin = process.cpuUsage()
  let count = 0
  for (;;) {
    for (let i = 0; i < 500; i++) read(bytes)
    count += 500
    const { user, system } = process.cpuUsage(begin)
    if (user + system > milliseconds * 1000) return { count, nanoseconds: (user + system) * 1000 }
  }
}

main(process.argv[2] ?? '', process.argv[3] ?? '', Number(process.argv[4] ?? 300))
