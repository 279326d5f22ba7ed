// What the admin port answers, route by route.
//
// Everything shown is derived from the state in force at that moment; nothing here keeps state of its own. No key
// and no secret is ever part of an answer.

import type { RouteTable } from '../route/route-table.ts'
import type { Destination, Mode } from '../stack/destination.ts'
import { type Answer, json, type Routes, text } from './admin-server.ts'

/** What the routes ask and command whoever carries the traffic, be it one process or several. */
export interface ControlSubject {
  readonly configuration: unknown
  /** Why it is not ready, empty if it is. */
  whyNotReady(): string
  metrics(): Promise<{ readonly type: string; readonly body: string }>
  mode(): Mode
  /** For connections that begin after it, where no policy says otherwise. */
  setMode(mode: Mode): void
  /** Stops accepting. */
  drain(): void
  /** Drains and ends the process. */
  quit(): void
}

/** The same and what only the process that carries the traffic itself has at hand. */
export interface AdminSubject extends ControlSubject, EndpointSubject {}

export interface EndpointSubject {
  readonly routes: { readonly table: RouteTable }
  now(): number
}

/** The routes that are harmless in anybody's hands: for the metrics port. */
export function publicRoutes(subject: ControlSubject): Routes {
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
  return { ...controlRoutes(subject), 'GET /endpoints': () => json(endpoints(subject)) }
}

/** All but the endpoints. */
export function controlRoutes(subject: ControlSubject): Routes {
  return {
    ...publicRoutes(subject),
    'GET /config': () => json(subject.configuration),
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

function ready(subject: ControlSubject): Answer {
  const reason = subject.whyNotReady()
  return reason === '' ? text('ready') : text(`not ready: ${reason}`, 503)
}

function setMode(subject: ControlSubject, wanted: string | null): Answer {
  if (wanted !== 'l4' && wanted !== 'l7') return text('use PUT /mode?to=l4 or PUT /mode?to=l7', 400)
  subject.setMode(wanted)
  return text(`mode is ${wanted}`)
}

/** What has no limit is left out. */
function limitsOf(destination: Destination): Readonly<Record<string, number>> {
  const { maxConnections, maxPendingRequests, maxRequests, maxRetries } = destination
  const limits = { maxConnections, maxPendingRequests, maxRequests, maxRetries }
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => Number.isFinite(limit)))
}

/** Every Service with its endpoints, as /endpoints shows them. */
export function endpoints(subject: EndpointSubject): unknown {
  const now = subject.now()
  return [...subject.routes.table.services()].map((destination) => ({
    service: destination.service,
    open: destination.open,
    activeRequests: destination.active,
    retryingRequests: destination.retrying,
    retryBudgetLeft: destination.retryBudget?.left(now),
    ...limitsOf(destination),
    endpoints: destination.picker.endpoints.map((endpoint) => ({
      address: endpoint.key,
      weight: endpoint.weight,
      open: endpoint.open,
      connectFailuresInARow: endpoint.failures,
      avoidedForMilliseconds: Math.max(0, Math.round(endpoint.avoidUntil - now)),
    })),
  }))
}
