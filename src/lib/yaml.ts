// YAML text into plain values, one document after another, with everything refused that two readers of one file
// could understand differently: duplicate keys, unknown tags and directives, endless aliases.
//
// Documents are read one at a time, so that a long file costs the memory of its longest document and the caller may
// do other things in between. JSON is YAML, so JSON files come this way too. What the values mean is left to callers.

import {
  Composer,
  type CST,
  type Document,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
  visit,
} from 'yaml'
import type { Problems } from './problems.ts'

export interface YamlDocument {
  /** Counted from 1, empty documents included, as a person counts the `---`. */
  readonly number: number
  /** What the document holds; undefined if it is empty or was refused. */
  readonly value: unknown
}

interface Place {
  readonly file: string
  readonly path: string
  readonly lines: LineCounter
  readonly problems: Problems
}

/** An alias may be used this often; more is an attempt to fill the memory. */
const MOST_ALIASES = 100
/** One mistake makes a YAML parser stumble on; what follows says nothing new. */
const MOST_ERRORS = 3
/**
 * The library descends by recursion. Where the stack ends, the process may end too (V8 aborts when it has no room to
 * compile a regular expression), so this cannot be left to a RangeError. Real manifests stay below 20.
 */
const MOST_LEVELS = 100
/** Signs and words of one document: about 3 MB of it. A broken text costs more time and memory than a good one. */
const MOST_LEXEMES = 500_000

/** The documents of a text. A problem's path is `file#document line L, column C`, or without the document where it is cut off. Never throws. */
export function* readYaml(text: string, file: string, problems: Problems): Generator<YamlDocument> {
  const lines = new LineCounter()
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, logLevel: 'silent' })
  // Without a document there must be one all the same, to carry what is wrong with the directives before it.
  const documents = composer.compose(parse(text, lines), true, text.length)
  for (let number = 1; ; number += 1) {
    const place = { file, path: `${file}#${number}`, lines, problems }
    const document = nextOf(documents, place)
    if (document === undefined) return
    yield { number, value: contentOf(document, place) }
  }
}

/** The value of a text that must be one document; undefined if it is empty or was refused. */
export function readYamlValue(text: string, name: string, problems: Problems): unknown {
  const documents = [...readYaml(text, name, problems)]
  if (documents.length > 1) problems.add(name, `must be one document, not ${documents.length}`)
  return documents[0]?.value
}

/** The library's parser, with limits on what a document may hold. */
function* parse(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  let lexemes = 0
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      if (token.type === 'document') lexemes = 0
      yield token
    }
    lexemes += 1
    if (parser.stack.length > MOST_LEVELS) throw new Limit('is nested too deeply', parser.offset)
    if (lexemes > MOST_LEXEMES) throw new Limit('is too long for one document', parser.offset)
  }
  yield* parser.end()
}

/** The next document, or undefined at the end and where a limit is reached. */
function nextOf(documents: Iterator<Document.Parsed, void>, place: Place): Document | undefined {
  try {
    return documents.next().value ?? undefined
  } catch (error) {
    // The parser is ahead of the document that is composed, so the line must do.
    if (error instanceof Limit) place.problems.add(lineOf(place, error.offset), error.message)
    else place.problems.add(place.path, unreadable(error))
    return undefined
  }
}

function contentOf(document: Document, place: Place): unknown {
  const faults = [...document.errors, ...document.warnings]
  for (const { pos, message } of faults.slice(0, MOST_ERRORS)) {
    place.problems.add(at(place, pos[0]), message)
  }
  if (faults.length > 0) return undefined
  try {
    if (!keysAreUnique(document, place)) return undefined
    return document.toJS({ maxAliasCount: MOST_ALIASES }) ?? undefined
  } catch (error) {
    place.problems.add(place.path, unreadable(error))
    return undefined
  }
}

/** The library has this check too, but compares each key of a mapping with each other one. */
function keysAreUnique(document: Document, place: Place): boolean {
  let unique = true
  visit(document, {
    Map(_, map) {
      const seen = new Set<string>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        const name = String(key.value)
        if (seen.has(name)) {
          unique = false
          place.problems.add(at(place, key.range?.[0] ?? 0), 'the key is there twice', name)
        }
        seen.add(name)
      }
    },
  })
  return unique
}

function at(place: Place, offset: number): string {
  return lineOf({ ...place, file: place.path }, offset)
}

function lineOf({ file, lines }: Place, offset: number): string {
  const { line, col } = lines.linePos(offset)
  return `${file} line ${line}, column ${col}`
}

function unreadable(error: unknown): string {
  return `cannot be read: ${error instanceof Error ? error.message : String(error)}`
}

class Limit extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}
