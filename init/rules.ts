// The rules of a pod, as a pure function of the options: which connections the proxy gets, per address family.
//
// Inbound, what arrives from outside for a captured port goes to the proxy's inbound listener. Outbound, what a
// process of the pod opens goes to its outbound listener, unless the process is the proxy itself.
//
// Everything of the proxy's own user or group is let through, also to the pod's own addresses. So when a Service
// picks the pod itself, the proxy reaches the application directly. Sending that through the inbound listener first
// would need a mark to tell it from the inbound listener's own connection to the application (both are the proxy's,
// both run over loopback) or it would never end; the application gains nothing by it. What an application opens over
// loopback (127.0.0.1, 127.0.1.1, ::1, the pod's own addresses) stays inside the pod and is left alone, unless the
// operator includes a loopback network by name. A Service address is no address of the pod, so it is captured, also
// when the Service is the application's own. UDP is never touched.
//
// Link-local IPv6 destinations are left alone, both ways: the redirect loses their scope, without which nobody can
// reach them.
//
// The proxy connects to the original destination, so only what is really for this pod may come to it from outside: a
// packet that a neighbour routes through the pod would be relayed to anybody, one for 127.0.0.1 carried to services
// that trust loopback. The kernel looks at neither before the redirect, and drops both where there is none.

import type { Cidr } from '../src/lib/address.ts'
import type { Options, Range } from './options.ts'
import type { Ruleset, TableRules } from './ruleset.ts'

/** Everything of ours is a chain of this prefix, or a jump to one. */
const INBOUND = 'UNDERPASS_INBOUND'
const IN_REDIRECT = 'UNDERPASS_IN_REDIRECT'
const OUTPUT = 'UNDERPASS_OUTPUT'
const REDIRECT = 'UNDERPASS_REDIRECT'
const INVALID = 'UNDERPASS_INVALID'

/** What the xt_multiport match holds; a range takes two. */
const MULTIPORT_SLOTS = 15

const LINK_LOCAL = `-d fe80::/10 ${comment('link-local')} -j RETURN`

/** The rules for one family. */
export function plannedRules(options: Options, family: 4 | 6): Ruleset {
  const nat: TableRules = {
    chains: new Map([
      [INBOUND, inboundRules(options, family)],
      [IN_REDIRECT, [`-p tcp -j REDIRECT --to-ports ${options.inboundPort}`]],
      [OUTPUT, outputRules(options, family)],
      [REDIRECT, [`-p tcp -j REDIRECT --to-ports ${options.outboundPort}`]],
    ]),
    jumps: [
      `-A PREROUTING -p tcp -m addrtype --dst-type LOCAL ${comment('inbound')} -j ${INBOUND}`,
      `-A OUTPUT -p tcp ${comment('outbound')} -j ${OUTPUT}`,
    ],
  }
  const tables = new Map([['nat', nat]])
  if (options.dropInvalid) tables.set('mangle', invalidRules())
  return tables
}

function inboundRules(options: Options, family: 4 | 6): readonly string[] {
  const { metricsPort, meshPort, inboundPortsExclude, inboundPortsInclude } = options
  const ours = [meshPort, metricsPort].map((port) => ({ first: port, last: port }))
  return [
    `-i lo ${comment('from this pod')} -j RETURN`,
    family === 4 ? `-d 127.0.0.0/8 ${comment('loopback from outside')} -j RETURN` : LINK_LOCAL,
    ...options.interfacesExclude.map(
      (name) => `-i ${name} ${comment('excluded interface')} -j RETURN`,
    ),
    ...portMatches(ours).map((match) => `${match} ${comment('port of the proxy')} -j RETURN`),
    ...portMatches(inboundPortsExclude).map(
      (match) => `${match} ${comment('excluded port')} -j RETURN`,
    ),
    ...portMatches(inboundPortsInclude).map((match) => `${match} -j ${IN_REDIRECT}`),
  ]
}

function outputRules(options: Options, family: 4 | 6): readonly string[] {
  const { outboundCidrsExclude, outboundCidrsInclude, outboundPortsInclude } = options
  const included = addressMatches(outboundCidrsInclude, family)
  const capture = (addresses: readonly string[]): string[] =>
    addresses.flatMap((address) =>
      portMatches(outboundPortsInclude).map((ports) => `${address}${ports} -j ${REDIRECT}`),
    )
  return [
    `-m owner --uid-owner ${options.proxyUid} ${comment('the proxy')} -j RETURN`,
    `-m owner --gid-owner ${options.proxyGid} ${comment('the proxy')} -j RETURN`,
    ...options.interfacesExclude.map(
      (name) => `-o ${name} ${comment('excluded interface')} -j RETURN`,
    ),
    ...ownerMatches('uid', options.uidsExclude),
    ...ownerMatches('gid', options.gidsExclude),
    ...(family === 6 ? [LINK_LOCAL] : []),
    ...addressMatches(outboundCidrsExclude, family).map(
      (match) => `${match}${comment('excluded address')} -j RETURN`,
    ),
    ...portMatches(options.outboundPortsExclude).map(
      (match) => `${match} ${comment('excluded port')} -j RETURN`,
    ),
    ...loopbackRules(options, family, capture),
    `-o lo ${comment('inside this pod')} -j RETURN`,
    ...capture(included),
  ]
}

/** Captures what an operator includes of loopback by name; the proxy's own ports there stay reachable. */
function loopbackRules(
  options: Options,
  family: 4 | 6,
  capture: (addresses: readonly string[]) => string[],
): readonly string[] {
  if (options.outboundCidrsInclude === 'all') return []
  const loopback = options.outboundCidrsInclude.filter(isLoopback)
  const addresses = addressMatches(loopback, family)
  if (addresses.length === 0) return []
  const ports = [
    options.adminPort,
    options.outboundPort,
    options.inboundPort,
    options.meshPort,
    options.metricsPort,
  ].toSorted((a, b) => a - b)
  const ours = portMatches(ports.map((port) => ({ first: port, last: port })))
  return [
    ...ours.map((match) => `-o lo ${match} ${comment('port of the proxy')} -j RETURN`),
    ...capture(addresses.map((address) => `-o lo ${address}`)),
  ]
}

function invalidRules(): TableRules {
  // A packet outside the tracked window would reach the socket that was never redirected, and be answered by a
  // reset that ends the connection.
  return {
    chains: new Map([[INVALID, ['-m conntrack --ctstate INVALID -j DROP']]]),
    jumps: [`-A PREROUTING -p tcp ${comment('invalid packets')} -j ${INVALID}`],
  }
}

/** True for a network that lies in 127.0.0.0/8 or is ::1. */
export function isLoopback(cidr: Cidr): boolean {
  if (cidr.family === 6) return cidr.text === '::1/128'
  return cidr.text.startsWith('127.') && Number(cidr.text.split('/')[1]) >= 8
}

/** `-d` matches, each with a space behind it; one empty match for "all", none if no network is of the family. */
function addressMatches(cidrs: 'all' | readonly Cidr[], family: 4 | 6): readonly string[] {
  if (cidrs === 'all') return ['']
  const own = cidrs.filter((cidr) => cidr.family === family)
  if (own.some((cidr) => cidr.text.endsWith('/0'))) return ['']
  return own.map((cidr) => `-d ${cidr.text} `)
}

/** As many multiport matches as the ports need; a bare protocol match for "all". */
function portMatches(ports: 'all' | readonly Range[]): readonly string[] {
  if (ports === 'all') return ['-p tcp']
  const matches: string[] = []
  let slots = 0
  let group: string[] = []
  const close = (): void => {
    if (group.length > 0) matches.push(`-p tcp -m multiport --dports ${group.join(',')}`)
    slots = 0
    group = []
  }
  for (const { first, last } of ports) {
    const need = first === last ? 1 : 2
    if (slots + need > MULTIPORT_SLOTS) close()
    group.push(first === last ? `${first}` : `${first}:${last}`)
    slots += need
  }
  close()
  return matches
}

function ownerMatches(kind: 'uid' | 'gid', ranges: readonly Range[]): readonly string[] {
  return ranges.map(({ first, last }) => {
    const ids = first === last ? `${first}` : `${first}-${last}`
    return `-m owner --${kind}-owner ${ids} ${comment(`excluded ${kind}`)} -j RETURN`
  })
}

function comment(text: string): string {
  return `-m comment --comment "underpass: ${text}"`
}
