// Which address and port a probe may dial so that the rules capture it, worked out from the options alone.
//
// Nobody answers at a documentation address, so a broken redirect sends one segment towards nothing and no more. Only
// where the operator includes other networks is an address of theirs taken. How the probe is made is left to
// verify.ts.

import ipaddr from 'ipaddr.js'
import { type Cidr, familyOf, type SocketAddress } from '../src/lib/address.ts'
import type { Options, Range } from './options.ts'
import { isLoopback } from './rules.ts'

/** RFC 5737 and RFC 3849. */
const DOCUMENTATION = {
  4: ['192.0.2.1', '198.51.100.1', '203.0.113.1'],
  6: ['2001:db8::1', '2001:db8:ffff::1'],
} as const

/** The discard port: if it arrived somewhere after all, nothing would come of it. */
const DISCARD: Range = { first: 9, last: 9 }
const EVERY_PORT: Range = { first: 1, last: 65535 }

/** What to dial, or why the rules capture nothing that could be dialled. `local` are the pod's own addresses. */
export function probeTarget(
  options: Options,
  family: 4 | 6,
  local: readonly string[],
): SocketAddress | string {
  const port = capturedPort(options)
  if (port === undefined) return 'no outbound port is captured'
  const ip = capturedAddress(options, family, local)
  if (ip === undefined) return `no outbound IPv${family} address is captured`
  return { ip, port }
}

function capturedPort(options: Options): number | undefined {
  const { outboundPortsInclude: included, outboundPortsExclude: excluded } = options
  // What the rules leave alone on loopback for the proxy's sake is no place to look either.
  const proxy = [options.adminPort, options.inboundPort, options.meshPort, options.metricsPort]
  const closed = [options.outboundPort, ...proxy].map((port) => ({ first: port, last: port }))
  for (const { first, last } of included === 'all' ? [DISCARD, EVERY_PORT] : included) {
    for (let port = first; port <= last; port++) {
      if (!holds(excluded, port) && !holds(closed, port)) return port
    }
  }
  return undefined
}

function capturedAddress(
  options: Options,
  family: 4 | 6,
  local: readonly string[],
): string | undefined {
  const { outboundCidrsInclude: included, outboundCidrsExclude: excluded } = options
  const networks = included === 'all' ? [] : included.filter((cidr) => cidr.family === family)
  const candidates = [
    ...DOCUMENTATION[family].filter((ip) => included === 'all' || contains(networks, ip)),
    ...networks.map(edge),
  ]
  const linkLocal: Cidr = { text: 'fe80::/10', family: 6 }
  return candidates.find((ip) => {
    const loopback = isLoopback({ text: `${ip}/${family === 4 ? 32 : 128}`, family })
    const inside = local.includes(ip) && !loopback
    const named = !loopback || contains(networks.filter(isLoopback), ip)
    return !inside && named && !contains([...excluded, linkLocal], ip)
  })
}

/** The highest address of a network that is no broadcast address: it is seldom anybody's. */
function edge(cidr: Cidr): string {
  const [network, bits] = ipaddr.parseCIDR(cidr.text)
  const bytes = network.toByteArray()
  const last = bytes.map((byte, index) => byte | (0xff >> clamp(bits - index * 8)))
  if (bits < bytes.length * 8 - 1) last.push((last.pop() ?? 0) - 1)
  return ipaddr.fromByteArray(last).toString()
}

function clamp(bits: number): number {
  return Math.min(8, Math.max(0, bits))
}

export function contains(cidrs: readonly Cidr[], ip: string): boolean {
  const address = ipaddr.parse(ip)
  return cidrs.some(
    ({ text, family }) => family === familyOf(ip) && address.match(ipaddr.parseCIDR(text)),
  )
}

export function holds(ranges: readonly Range[], number: number): boolean {
  return ranges.some(({ first, last }) => number >= first && number <= last)
}
