// A list of everything that is wrong with one input, each with its path and, where it helps, the value found.
//
// Parsers take it as an argument and go on after a mistake, so that a person sees all problems at once and
// not one a run. It knows nothing of what is parsed: configuration, manifests and command lines all use it.
// What it shows came from the input, so it is made safe for a terminal and a log, and kept short.

export interface Problem {
  /** Where, as a person would look for it: `outbound.listeners[0].port`, or `mesh.yaml#2 spec.ports[1].name`. */
  readonly path: string
  readonly message: string
}

/** More than this many help nobody; the rest is only counted. */
const MOST = 100
const LONGEST_PATH = 300
const LONGEST_VALUE = 80

export class Problems {
  readonly list: Problem[] = []
  #omitted = 0

  /** Notes one problem. `value` is shown as JSON, cut at 80 characters. */
  add(path: string, message: string, ...value: [] | [unknown]): void {
    if (this.list.length >= MOST) {
      this.#omitted += 1
      return
    }
    this.list.push({
      path: cut(printable(path).trimEnd(), LONGEST_PATH),
      message: value.length === 0 ? message : `${message}, but found ${show(value[0])}`,
    })
  }

  get any(): boolean {
    return this.list.length > 0
  }

  /** How many were noted, those included that are only counted. */
  get count(): number {
    return this.list.length + this.#omitted
  }

  /** One line a problem: `path: message`. */
  toString(): string {
    const lines = this.list.map(({ path, message }) =>
      path === '' ? message : `${path}: ${message}`,
    )
    if (this.#omitted > 0) lines.push(`... and ${this.#omitted} more`)
    return lines.join('\n')
  }
}

/** A value from an input as short, harmless text. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'number') return String(value)
  try {
    return cut(printable(JSON.stringify(value)), LONGEST_VALUE)
  } catch {
    return Array.isArray(value) ? 'a list that contains itself' : 'a mapping that contains itself'
  }
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest - 3)}...` : text
}

/** Control characters and what else could move a terminal's cursor, as escapes. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  )
}
