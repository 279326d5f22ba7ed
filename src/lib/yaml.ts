// YAML text into plain values, one document after another, with everything refused that two readers of one file
// could understand differently: duplicate keys, unknown tags and directives, endless aliases.
//
// Documents are read one at a time, so that a long file costs the memory of its longest document and the caller may
// do other things in between. JSON is YAML, so JSON files come this way too. What the values mean is left to callers.

import { Composer, type Document, isScalar, LineCounter, Parser, visit } from 'yaml'
import type { Problems } from './problems.ts'

export interface YamlDocument {
  /** Counted from 1, empty documents included, as a person counts the `---`. */
  readonly number: number
  /** What the document holds; undefined if it is empty or was refused. */
  readonly value: unknown
}

interface Place {
  readonly path: string
  readonly lines: LineCounter
  readonly problems: Problems
}

/** An alias may be used this often; more is an attempt to fill the memory. */
const MOST_ALIASES = 100
/** One mistake makes a YAML parser stumble on; what follows says nothing new. */
const MOST_ERRORS = 3

/** The documents of a text. A problem's path is `file#document line L, column C`. Never throws. */
export function* readYaml(text: string, file: string, problems: Problems): Generator<YamlDocument> {
  const lines = new LineCounter()
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, logLevel: 'silent' })
  const documents = composer.compose(new Parser(lines.addNewLine).parse(text))
  for (let number = 1; ; number += 1) {
    const place = { path: `${file}#${number}`, lines, problems }
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

/** The parser descends by recursion, so a text can be nested too deeply for the stack. */
function nextOf(documents: Iterator<Document.Parsed, void>, place: Place): Document | undefined {
  try {
    return documents.next().value ?? undefined
  } catch (error) {
    place.problems.add(place.path, unreadable(error))
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

function at({ path, lines }: Place, offset: number): string {
  const { line, col } = lines.linePos(offset)
  return `${path} line ${line}, column ${col}`
}

function unreadable(error: unknown): string {
  if (error instanceof RangeError) return 'is nested too deeply to be read'
  return `cannot be read: ${error instanceof Error ? error.message : String(error)}`
}
