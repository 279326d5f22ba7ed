// IP addresses, ports and CIDRs as text: one normal form for each, so that equal addresses are equal strings.
//
// IPv6 is lower case and shortest (RFC 5952); an IPv4-mapped IPv6 address is its IPv4 address. Parsing itself is
// ipaddr.js; which addresses make sense somewhere is left to the callers.

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Problems } from './problems.ts'

export interface SocketAddress {
  /** An IP address in normal form. */
  readonly ip: string
  readonly port: number
}

export interface Cidr {
  /** `address/bits` in normal form, host bits cleared. */
  readonly text: string
  readonly family: 4 | 6
}

/** The address in normal form, or undefined: no names, no zones, no short IPv4 forms. */
export function parseIp(text: string): string | undefined {
  if (isIP(text) === 0 || text.includes('%')) return undefined
  return ipaddr.process(text).toString()
}

/** True for an address that one host can have: not unspecified, not multicast, not broadcast. */
export function isUnicast(ip: string): boolean {
  return !['unspecified', 'multicast', 'broadcast'].includes(ipaddr.parse(ip).range())
}

/** True for 127.0.0.0/8 and ::1: addresses that only this host reaches. */
export function isLoopback(ip: string): boolean {
  return ipaddr.parse(ip).range() === 'loopback'
}

/** True for 0.0.0.0 and ::, on which a listener takes connections to every address. */
export function isUnspecified(ip: string): boolean {
  return ipaddr.parse(ip).range() === 'unspecified'
}

export function familyOf(ip: string): 4 | 6 {
  return ip.includes(':') ? 6 : 4
}

/** `ip:port`, or `[ip]:port` for IPv6: the key under which an address is looked up, and how it is shown. */
export function formatAddress(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

/** Reads `ip:port` or `[ip]:port`; port 0 (any free port) only where `anyPort` says so. */
export function parseAddress(text: string, anyPort = false): SocketAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text)
  const ip = parseIp(match?.[1] ?? match?.[2] ?? '')
  const port = Number(match?.[3])
  if (ip === undefined || port > 65535 || (port === 0 && !anyPort)) return undefined
  return { ip, port }
}

/** The CIDR in normal form; a bare address is the network of itself. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  if (isIP(address) === 0 || address.includes('%') || rest.length > 0) return undefined
  const ip = ipaddr.parse(address)
  const width = ip.kind() === 'ipv4' ? 32 : 128
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return undefined
  const length = bits === undefined ? width : Number(bits)
  if (length > width) return undefined
  // A shorter prefix covers more than the mapped addresses, so it stays a network of IPv6.
  const folded = length >= MAPPED_BITS ? ipaddr.process(address) : ip
  return networkOf(folded, folded.kind() === ip.kind() ? length : length - MAPPED_BITS)
}

/** ::ffff:0:0/96 holds the IPv4-mapped addresses (RFC 4291, section 2.5.5.2). */
const MAPPED_BITS = 96

function networkOf(ip: ipaddr.IPv4 | ipaddr.IPv6, length: number): Cidr {
  const cidr = `${ip.toString()}/${length}`
  return ip.kind() === 'ipv4'
    ? { text: `${ipaddr.IPv4.networkAddressFromCIDR(cidr).toString()}/${length}`, family: 4 }
    : { text: `${ipaddr.IPv6.networkAddressFromCIDR(cidr).toString()}/${length}`, family: 6 }
}

/** An IP address in normal form; an empty one after a problem. */
export function readIp(value: unknown, path: string, problems: Problems): string {
  const ip = typeof value === 'string' ? parseIp(value) : undefined
  if (ip === undefined) problems.add(path, 'must be an IPv4 or IPv6 address', value)
  return ip ?? ''
}

/** An IP address that one host can have, in normal form; an empty one after a problem. */
export function readUnicastIp(value: unknown, path: string, problems: Problems): string {
  const ip = readIp(value, path, problems)
  if (ip === '' || isUnicast(ip)) return ip
  problems.add(path, 'must be the address of one host', value)
  return ''
}

/** An `ip:port`; 0.0.0.0:1 after a problem. */
export function readAddress(
  value: unknown,
  path: string,
  problems: Problems,
  anyPort = false,
): SocketAddress {
  const address = typeof value === 'string' ? parseAddress(value, anyPort) : undefined
  if (address === undefined) {
    problems.add(path, 'must be an address like 127.0.0.1:15001 or [::1]:15001', value)
  }
  return address ?? { ip: '0.0.0.0', port: 1 }
}
