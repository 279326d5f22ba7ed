// The parsers that ours is held against, http-parser-js and Node's llhttp, each turned into a list of messages.
//
// Both are lenient and have ways of their own; where a caller has to tell them something that ours knows by itself
// (a response to HEAD has no body), they are told. What counts as agreement is left to h1.ts.

import { HTTPParser } from 'http-parser-js'
import { openLlhttp } from '../../bench/parser-llhttp.ts'

export interface Reading {
  readonly line: string
  readonly fields: readonly (readonly [string, string])[]
  body: string
  complete: boolean
}

export interface Result {
  readonly readings: Reading[]
  /** Why it stopped, if it refused. */
  error: string | undefined
}

/** Kinds of input, and for responses what was asked: true for HEAD. */
export interface Kind {
  readonly request: boolean
  readonly head: boolean
}

export type Reference = (bytes: Buffer, kind: Kind) => Result

/** Header fields as both libraries give them: name, value, name, value. */
type Flat = readonly string[]

function pairs(flat: Flat): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [
    flat[2 * i] ?? '',
    flat[2 * i + 1] ?? '',
  ])
}

function end(result: Result): void {
  const last = result.readings.at(-1)
  if (last !== undefined) last.complete = true
}

function hasNoBody(kind: Kind, status: number): boolean {
  return !kind.request && (kind.head || status === 304)
}

export const httpParserJs: Reference = (bytes, kind) => {
  HTTPParser.encoding = 'latin1'
  const parser = new HTTPParser(kind.request ? HTTPParser.REQUEST : HTTPParser.RESPONSE)
  const result: Result = { readings: [], error: undefined }
  parser[HTTPParser.kOnHeadersComplete] = (info) => {
    const method = HTTPParser.methods[info.method] ?? ''
    const line = kind.request ? `${method} ${info.url}` : `${info.statusCode} ${info.statusMessage}`
    result.readings.push({ line, fields: pairs(info.headers), body: '', complete: false })
    return hasNoBody(kind, info.statusCode) ? 1 : 0
  }
  parser[HTTPParser.kOnBody] = (body) => {
    const last = result.readings.at(-1)
    if (last !== undefined) last.body += body.toString('latin1')
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    end(result)
  }
  const taken = parser.execute(bytes)
  if (typeof taken !== 'number') result.error = taken.message
  return result
}

/** llhttp, or undefined where Node has no door to it. */
export function llhttp(): Reference | undefined {
  const library = openLlhttp()
  if (library === undefined) return undefined
  const { HTTPParser: Parser, methods } = library
  return (bytes, kind) => {
    const parser = new Parser()
    parser.initialize(kind.request ? Parser.REQUEST : Parser.RESPONSE, {}, 1024 * 1024)
    const result: Result = { readings: [], error: undefined }
    // More than 32 fields come in several calls, the first of them with the URL; so do trailers, after the head.
    let early: string[] = []
    let url = ''
    parser[Parser.kOnHeaders] = (flat: Flat, target: string) => {
      early.push(...flat)
      url += target
    }
    parser[Parser.kOnHeadersComplete] = (
      _major: number,
      _minor: number,
      flat: Flat | undefined,
      method: number,
      target: string | undefined,
      status: number,
      reason: string,
    ) => {
      const name = methods[method] ?? ''
      const line = kind.request ? `${name} ${target ?? url}` : `${status} ${reason}`
      const fields = pairs([...early, ...(flat ?? [])])
      result.readings.push({ line, fields, body: '', complete: false })
      early = []
      url = ''
      return hasNoBody(kind, status) ? 1 : 0
    }
    parser[Parser.kOnBody] = (body: Buffer) => {
      const last = result.readings.at(-1)
      if (last !== undefined) last.body += body.toString('latin1')
    }
    parser[Parser.kOnMessageComplete] = () => {
      end(result)
      early = []
      url = ''
    }
    const taken = parser.execute(bytes)
    if (typeof taken !== 'number') result.error = Reflect.get(taken, 'code') as string
    parser.close()
    return result
  }
}
