// Where a connection is to go: a set of endpoints with a way to choose among them, and the rules that hold there.
//
// A Service's port is one, so is a single endpoint, an address outside the mesh, and the pod's own application: the
// rest of the data plane does not need to know which. Discovery changes the fields of the first kind in place.

import type { Millis } from '../../lib/duration.ts'
import type { Direction } from './counters.ts'
import type { Endpoint } from './endpoint.ts'

/** What a choice may depend on. */
export interface Choice {
  /** The client's IP address; empty if it is not known. */
  readonly source: string
  /** Endpoints that this connection has tried in vain. */
  readonly tried: readonly Endpoint[]
  /** The clock's `now`. */
  readonly now: number
}

/** A snapshot of endpoints with a rule for choosing; replaced whole when discovery changes. */
export interface Picker {
  readonly endpoints: readonly Endpoint[]
  /** An endpoint that was not tried yet, or undefined if there is none. */
  pick(choice: Choice): Endpoint | undefined
}

export class Destination {
  readonly direction: Direction
  /** `name.namespace:port`, `egress` or `local`. */
  readonly service: string
  picker: Picker
  connectTimeout: Millis
  /** 0 for none. */
  idleTimeout: Millis
  maxConnections: number
  /** Connections that are open or being opened. */
  open = 0

  constructor(
    direction: Direction,
    service: string,
    picker: Picker,
    rules: { connectTimeout: Millis; idleTimeout: Millis; maxConnections?: number | undefined },
  ) {
    this.direction = direction
    this.service = service
    this.picker = picker
    this.connectTimeout = rules.connectTimeout
    this.idleTimeout = rules.idleTimeout
    this.maxConnections = rules.maxConnections ?? Number.POSITIVE_INFINITY
  }
}

/** The only endpoint there is. */
export class SinglePicker implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #endpoint: Endpoint

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
    this.endpoints = [endpoint]
  }

  pick(choice: Choice): Endpoint | undefined {
    return choice.tried.length === 0 ? this.#endpoint : undefined
  }
}
