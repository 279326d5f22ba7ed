// The routes of a Service: a request takes the first that matches it, as Gateway API's HTTPRouteMatch has it.
//
// Everything is compared byte by byte where it stands in the head, so that no request costs a string. A path is
// compared as it came, percent-encoding and dots untouched: routes say what holds for a request, not who may make it.

import type { PolicyRoute, RouteMatch } from '../../api/resources.ts'
import { QUESTION, SLASH } from '../http/characters.ts'
import { type Head, TargetForm } from '../http/head.ts'
import { METHOD_NAMES, Method } from '../http/method.ts'
import type { Route, Router } from '../stack/route.ts'
import { makeRoute } from './make-route.ts'

const SPANS = 4
const NO_PATH = -1

/** Undefined where there are none. */
export function makeRouter(routes: readonly PolicyRoute[]): Router | undefined {
  return routes.length === 0 ? undefined : new FirstMatch(routes)
}

class FirstMatch implements Router {
  readonly #matches: readonly Match[]

  constructor(routes: readonly PolicyRoute[]) {
    this.#matches = routes.flatMap(({ name, matches, rules }) => {
      const route = makeRoute(name, rules)
      return matches.map((match) => new Match(match, route))
    })
  }

  find(request: Head): Route | undefined {
    const pathStart = startOfPath(request)
    for (let at = 0; at < this.#matches.length; at += 1) {
      const match = this.#matches[at]
      if (match?.takes(request, pathStart) === true) return match.route
    }
    return undefined
  }
}

/** A header's name in lower case, and what one of its values must be. */
interface HeaderMatch {
  readonly name: string
  readonly value: Uint8Array
}

class Match {
  readonly route: Route
  /** Undefined for any. */
  readonly #method: Method | undefined
  /** The bytes of a method that has no code. */
  readonly #methodName: Uint8Array
  /** Undefined for any. A prefix is without its last slash: it ends where a path's element does. */
  readonly #path: Uint8Array | undefined
  readonly #isPrefix: boolean
  readonly #headers: readonly HeaderMatch[]

  constructor({ path, method, headers }: RouteMatch, route: Route) {
    this.route = route
    this.#method = method === undefined ? undefined : codeOf(method)
    this.#methodName = bytesOf(method ?? '')
    this.#isPrefix = path?.type === 'PathPrefix'
    this.#path =
      path === undefined
        ? undefined
        : bytesOf(this.#isPrefix ? path.value.replace(/\/$/, '') : path.value)
    this.#headers = headers.map(({ name, value }) => ({ name, value: bytesOf(value) }))
  }

  /** `pathStart` is where the target's path begins, or NO_PATH. */
  takes(request: Head, pathStart: number): boolean {
    return (
      this.#takesMethod(request) &&
      this.#takesPath(request, pathStart) &&
      this.#takesHeaders(request)
    )
  }

  #takesMethod({ method, bytes, start, methodEnd }: Head): boolean {
    if (this.#method === undefined) return true
    if (method !== this.#method) return false
    if (method !== Method.other) return true
    const name = this.#methodName
    return methodEnd - start === name.length && isAt(bytes, start, name)
  }

  #takesPath({ bytes, targetEnd }: Head, start: number): boolean {
    const path = this.#path
    if (path === undefined) return true
    if (start === NO_PATH) return false
    // RFC 9110 section 4.2.3: an empty path means the same as `/`.
    if (start === targetEnd || bytes[start] === QUESTION) {
      return path.length === (this.#isPrefix ? 0 : 1)
    }
    const end = start + path.length
    if (end > targetEnd || !isAt(bytes, start, path)) return false
    if (end === targetEnd) return true
    const next = bytes[end]
    return next === QUESTION || (this.#isPrefix && next === SLASH)
  }

  #takesHeaders(request: Head): boolean {
    for (let at = 0; at < this.#headers.length; at += 1) {
      const header = this.#headers[at]
      if (header !== undefined && !hasValue(request, header)) return false
    }
    return true
  }
}

/** Any of the fields of that name will do. */
function hasValue(request: Head, { name, value }: HeaderMatch): boolean {
  const { bytes, spans } = request
  for (let at = request.find(name); at >= 0; at = request.find(name, at + 1)) {
    const start = spans[at * SPANS + 2] ?? 0
    const end = spans[at * SPANS + 3] ?? 0
    if (end - start === value.length && isAt(bytes, start, value)) return true
  }
  return false
}

/** RFC 9112 section 3.2: of the forms of a target, two have a path. */
function startOfPath({ targetForm, targetStart, targetEnd, authorityEnd, method }: Head): number {
  if (targetForm === TargetForm.origin) return targetStart
  if (targetForm !== TargetForm.absolute) return NO_PATH
  // Section 3.2.4: an OPTIONS for a whole server, in the form that proxies are asked in.
  if (method === Method.options && authorityEnd === targetEnd) return NO_PATH
  return authorityEnd
}

function isAt(bytes: Uint8Array, start: number, wanted: Uint8Array): boolean {
  for (let at = 0; at < wanted.length; at += 1) {
    if (bytes[start + at] !== wanted[at]) return false
  }
  return true
}

function codeOf(method: string): Method {
  const code = METHOD_NAMES.indexOf(method)
  return (code < 0 ? Method.other : code) as Method
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
