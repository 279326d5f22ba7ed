// A list of everything that is wrong with one input, each with its path and, where it helps, the value found.
//
// Parsers take it as an argument and go on after a mistake, so that a person sees all problems at once and
// not one a run. It knows nothing of what is parsed: configuration, manifests and command lines all use it.

export interface Problem {
  /** Where, as a person would look for it: `outbound.listeners[0].port`, or `mesh.yaml#2 spec.ports[1].name`. */
  readonly path: string
  readonly message: string
}

export class Problems {
  readonly list: Problem[] = []

  /** Notes one problem. `value` is shown as JSON, cut at 80 characters. */
  add(path: string, message: string, ...value: [] | [unknown]): void {
    this.list.push({
      path,
      message: value.length === 0 ? message : `${message}, but found ${show(value[0])}`,
    })
  }

  get any(): boolean {
    return this.list.length > 0
  }

  /** One line a problem: `path: message`. */
  toString(): string {
    return this.list.map(({ path, message }) => `${path}: ${message}`).join('\n')
  }
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
