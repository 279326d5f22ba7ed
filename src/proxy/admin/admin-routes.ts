// What the admin port answers, route by route.
//
// Everything shown is derived from the state in force at that moment; nothing here keeps state of its own. No key
// and no secret is ever part of an answer.

import type { RouteTable } from '../route/route-table.ts'
import type { Mode } from '../stack/destination.ts'
import { type Answer, json, type Routes, text } from './admin-server.ts'

/** What the routes ask and command; the proxy implements it. */
export interface AdminSubject {
  readonly configuration: unknown
  readonly routes: { readonly table: RouteTable }
  /** Why it is not ready, empty if it is. */
  whyNotReady(): string
  metrics(): Promise<{ readonly type: string; readonly body: string }>
  now(): number
  mode(): Mode
  /** For connections that begin after it, where no policy says otherwise. */
  setMode(mode: Mode): void
  /** Stops accepting. */
  drain(): void
  /** Drains and ends the process. */
  quit(): void
}

/** The routes that are harmless in anybody's hands: for the metrics port. */
export function publicRoutes(subject: AdminSubject): Routes {
  return {
    'GET /live': () => text('live'),
    'GET /ready': () => ready(subject),
    'GET /metrics': async () => {
      const { type, body } = await subject.metrics()
      return { status: 200, type, body }
    },
  }
}

export function adminRoutes(subject: AdminSubject): Routes {
  return {
    ...publicRoutes(subject),
    'GET /config': () => json(subject.configuration),
    'GET /endpoints': () => json(endpoints(subject)),
    'GET /mode': () => text(subject.mode()),
    'PUT /mode': (query) => setMode(subject, query.get('to')),
    'POST /drain': () => {
      subject.drain()
      return text('draining', 202)
    },
    'POST /quit': () => {
      subject.quit()
      return text('draining, then quitting', 202)
    },
  }
}

function ready(subject: AdminSubject): Answer {
  const reason = subject.whyNotReady()
  return reason === '' ? text('ready') : text(`not ready: ${reason}`, 503)
}

function setMode(subject: AdminSubject, wanted: string | null): Answer {
  if (wanted !== 'l4' && wanted !== 'l7') return text('use PUT /mode?to=l4 or PUT /mode?to=l7', 400)
  subject.setMode(wanted)
  return text(`mode is ${wanted}`)
}

function endpoints(subject: AdminSubject): unknown {
  const now = subject.now()
  return [...subject.routes.table.services()].map((destination) => ({
    service: destination.service,
    open: destination.open,
    endpoints: destination.picker.endpoints.map((endpoint) => ({
      address: endpoint.key,
      weight: endpoint.weight,
      open: endpoint.open,
      connectFailuresInARow: endpoint.failures,
      avoidedForMilliseconds: Math.max(0, Math.round(endpoint.avoidUntil - now)),
    })),
  }))
}
