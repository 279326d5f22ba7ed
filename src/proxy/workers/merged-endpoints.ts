// What /endpoints shows for several workers: the same Services and endpoints, their numbers added up.
//
// Numbers that say how much there is are added; those that say how bad it is, or that all workers share, are the
// largest, and rates the smallest. What is true for one worker is shown as true, and the worst state as the state. A
// field that is new in the list needs no word here if it is a number to be added.

type Row = Readonly<Record<string, unknown>>

const LARGEST = new Set([
  'weight',
  'connectFailuresInARow',
  'avoidedForMilliseconds',
  'ejected',
  'consecutiveFailures',
  'ejectedForMilliseconds',
])
const SMALLEST = new Set(['successRate'])
/** Of a breaker, the better first. */
const STATES: readonly unknown[] = ['closed', 'half-open', 'open']
/** A row is the same as another's by the first of these that it has. */
const NAMES = ['service', 'address']

/** One list out of several. */
export function mergedEndpoints(lists: readonly unknown[]): unknown {
  return merged(lists.flatMap((list) => (isRows(list) ? list : [])))
}

function merged(rows: readonly Row[]): Row[] {
  const byName = new Map<unknown, Row>()
  for (const row of rows) {
    const name = NAMES.map((each) => row[each]).find((each) => each !== undefined)
    const known = byName.get(name)
    byName.set(name, known === undefined ? row : both(known, row))
  }
  return [...byName.values()]
}

function both(one: Row, other: Row): Row {
  const fields = Object.keys({ ...one, ...other })
  return Object.fromEntries(fields.map((field) => [field, value(field, one[field], other[field])]))
}

function value(field: string, one: unknown, other: unknown): unknown {
  if (typeof one === 'number' && typeof other === 'number') {
    if (SMALLEST.has(field)) return Math.min(one, other)
    return LARGEST.has(field) ? Math.max(one, other) : one + other
  }
  if (typeof one === 'boolean' && typeof other === 'boolean') return one || other
  if (isRows(one) && isRows(other)) return merged([...one, ...other])
  if (isRow(one) && isRow(other)) return both(one, other)
  if (field === 'state') return STATES.indexOf(other) > STATES.indexOf(one) ? other : one
  return one ?? other
}

function isRows(list: unknown): list is Row[] {
  return Array.isArray(list) && list.every(isRow)
}

function isRow(row: unknown): row is Row {
  return typeof row === 'object' && row !== null && !Array.isArray(row)
}
