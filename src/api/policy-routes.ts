// `routes` of a TrafficPolicy: requests of a Service that are told apart by their path, method or headers, and for
// which other rules hold.
//
// What is matched is written as in Gateway API's HTTPRouteMatch, with the same limits. A name becomes a metric's label.

import type { Problems } from '../lib/problems.ts'
import { item, join, readChoice, readFields, readList, readRequiredFields } from '../lib/shape.ts'
import { REQUEST_TIMEOUTS, type RulesContext, readRules } from './http-policy.ts'
import { readMethod, readToken } from './http-words.ts'
import { readLabel } from './metadata.ts'
import type { PolicyRoute, RouteMatch } from './resources.ts'
import { RETRY_KEYS } from './retry-policy.ts'

const ROUTE = ['name', 'matches', 'timeouts', 'retries', 'faults', 'mirror']
const MOST_ROUTES = 64
const MOST_MATCHES = 64
const MOST_HEADERS = 16
/** The label of what no route matches. */
const TAKEN = 'default'
const LONGEST_PATH = 1024
const LONGEST_VALUE = 4096
/** What a target's path may hold, as the codec reads it: percent signs only before two digits. */
const PATH = /^\/(?:[-A-Za-z0-9._~!$&'()*+,;=:@/[\]^`{|}]|%[0-9A-Fa-f]{2})*$/
/** Ways to write a path that has a plainer form, which is the one that most clients and servers know. */
const DETOUR = /\/\/|\/\.{1,2}(?:\/|$)|%2f/i
/** RFC 9110 section 5.5: a value has no white space around it. */
const VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/

/** `context.base` has the rules of the Service. */
export function readRoutes(
  value: unknown,
  path: string,
  problems: Problems,
  context: RulesContext,
): PolicyRoute[] {
  const names = new Map<string, string>()
  return readSome(value, path, problems, MOST_ROUTES).map((each, index) => {
    const route = readRoute(each, item(path, index), problems, context)
    const other = names.get(route.name)
    if (other !== undefined) {
      problems.add(join(item(path, index), 'name'), `is the name of ${other} too`, route.name)
    } else if (route.name !== '') {
      names.set(route.name, item('routes', index))
    }
    return route
  })
}

function readRoute(
  value: unknown,
  path: string,
  problems: Problems,
  context: RulesContext,
): PolicyRoute {
  const fields = readRequiredFields(value, path, ROUTE, problems)
  const name = readLabel(fields.get('name'), join(path, 'name'), problems)
  if (name === TAKEN) {
    problems.add(join(path, 'name'), 'is taken by the requests that no route matches', name)
  }
  const below = (key: string, known: readonly string[]): ReturnType<typeof readFields> =>
    readFields(fields.get(key), join(path, key), known, problems)
  const said = {
    timeouts: below('timeouts', REQUEST_TIMEOUTS),
    retries: below('retries', RETRY_KEYS),
    faults: fields.get('faults'),
    mirror: fields.get('mirror'),
  }
  return {
    name,
    matches: readMatches(fields.get('matches'), join(path, 'matches'), problems),
    rules: readRules(said, path, problems, context),
  }
}

function readMatches(value: unknown, path: string, problems: Problems): RouteMatch[] {
  const list = readSome(value, path, problems, MOST_MATCHES)
  const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0)
  if (isEmpty) problems.add(path, 'must have at least one match')
  return list.map((each, index) => readMatch(each, item(path, index), problems))
}

function readMatch(value: unknown, path: string, problems: Problems): RouteMatch {
  const fields = readRequiredFields(value, path, ['path', 'method', 'headers'], problems)
  const method = fields.get('method')
  return {
    path: readPath(fields.get('path'), join(path, 'path'), problems),
    method: method === undefined ? undefined : readMethod(method, join(path, 'method'), problems),
    headers: readHeaders(fields.get('headers'), join(path, 'headers'), problems),
  }
}

/** Without a type it is a prefix, and without a value every path, as in Gateway API. */
function readPath(value: unknown, path: string, problems: Problems): RouteMatch['path'] {
  if (value === undefined) return undefined
  const fields = readFields(value, path, ['type', 'value'], problems)
  const types = ['Exact', 'PathPrefix'] as const
  const text = fields.get('value') ?? '/'
  if (typeof text !== 'string' || text.length > LONGEST_PATH || !PATH.test(text)) {
    const message = `must be a path of at most ${LONGEST_PATH} characters, from its / on, without a query`
    problems.add(join(path, 'value'), message, text)
  } else if (DETOUR.test(text)) {
    problems.add(join(path, 'value'), 'must be without //, /./, /../ and %2F', text)
  }
  return {
    type: readChoice(fields.get('type'), join(path, 'type'), problems, types, 'PathPrefix'),
    value: typeof text === 'string' ? text : '/',
  }
}

function readHeaders(value: unknown, path: string, problems: Problems): RouteMatch['headers'] {
  const names = new Set<string>()
  return readSome(value, path, problems, MOST_HEADERS).map((each, index) => {
    const header = readHeader(each, item(path, index), problems)
    if (header.name !== '' && names.has(header.name)) {
      problems.add(join(item(path, index), 'name'), 'is asked for twice', header.name)
    }
    names.add(header.name)
    return header
  })
}

function readHeader(
  value: unknown,
  path: string,
  problems: Problems,
): { name: string; value: string } {
  const fields = readRequiredFields(value, path, ['type', 'name', 'value'], problems)
  readChoice(fields.get('type'), join(path, 'type'), problems, ['Exact'], 'Exact')
  const name = readToken(fields.get('name'), join(path, 'name'), problems).toLowerCase()
  const text = fields.get('value')
  if (typeof text === 'string' && text.length <= LONGEST_VALUE && VALUE.test(text)) {
    return { name, value: text }
  }
  const message = `must be text of 1 to ${LONGEST_VALUE} ASCII characters without space around it`
  if (text === undefined) problems.add(join(path, 'value'), 'is required')
  else problems.add(join(path, 'value'), message, text)
  return { name, value: '' }
}

/** The items of a list that may have so many. */
function readSome(
  value: unknown,
  path: string,
  problems: Problems,
  most: number,
): readonly unknown[] {
  const list = readList(value, path, problems)
  if (list.length <= most) return list
  problems.add(path, `must have at most ${most} items, but has ${list.length}`)
  return list.slice(0, most)
}
