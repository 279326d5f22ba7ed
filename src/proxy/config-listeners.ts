// The addresses in the proxy's configuration: single ones, the lists of explicit listeners, and whether all of them
// can be listened on at once.
//
// Port 0 is any free port: for tests and for several proxies on one machine.

import { resolve } from 'node:path'
import {
  formatAddress,
  isLoopback,
  isUnicast,
  isUnspecified,
  readAddress,
  type SocketAddress,
} from '../lib/address.ts'
import type { Problems } from '../lib/problems.ts'
import {
  item,
  join,
  readFields,
  readList,
  readPort,
  readRequiredFields,
  readString,
} from '../lib/shape.ts'
import type { InboundListener, OutboundListener, Settings, TlsSettings } from './settings.ts'

/** `name` or `name.namespace`, both RFC 1123 labels. */
const SERVICE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)?$/

/** An address with its path in the configuration, for messages. */
export interface Place {
  readonly path: string
  readonly address: SocketAddress
}

/** An address to listen on, or undefined for `off` and after a problem. */
export function readListenAddress(
  value: unknown,
  path: string,
  problems: Problems,
): SocketAddress | undefined {
  return value === 'off'
    ? undefined
    : attempt(problems, () => readAddress(value, path, problems, true))
}

/** As `readListenAddress`, on this host only. */
export function readAdmin(
  value: unknown,
  path: string,
  problems: Problems,
): SocketAddress | undefined {
  const address = readListenAddress(value, path, problems)
  if (address === undefined || isLoopback(address.ip)) return address
  // Whoever reaches it can stop the proxy, and it asks nobody who they are.
  problems.add(path, 'must be a loopback address like 127.0.0.1:15000, or off', value)
  return undefined
}

/** `folder` is what the paths of files are relative to. */
export function readOutboundListeners(
  value: unknown,
  path: string,
  problems: Problems,
  folder: string,
): OutboundListener[] {
  const listeners: OutboundListener[] = []
  for (const [index, each] of readList(value, path, problems).entries()) {
    const at = item(path, index)
    const listener = attempt(problems, () => {
      const known = ['address', 'service', 'port', 'tls']
      const fields = readRequiredFields(each, at, known, problems)
      return {
        address: readAddress(fields.get('address'), join(at, 'address'), problems, true),
        service: readServiceName(fields.get('service'), join(at, 'service'), problems),
        port: readPort(fields.get('port'), join(at, 'port'), problems),
        ...readTls(fields.get('tls'), join(at, 'tls'), problems, folder),
      }
    })
    if (listener !== undefined) listeners.push(listener)
  }
  return listeners
}

export function readInboundListeners(
  value: unknown,
  path: string,
  problems: Problems,
  folder: string,
): InboundListener[] {
  const listeners: InboundListener[] = []
  for (const [index, each] of readList(value, path, problems).entries()) {
    const at = item(path, index)
    const listener = attempt(problems, () => {
      const fields = readRequiredFields(each, at, ['address', 'target', 'tls'], problems)
      return {
        address: readAddress(fields.get('address'), join(at, 'address'), problems, true),
        target: readTarget(fields.get('target'), join(at, 'target'), problems),
        ...readTls(fields.get('tls'), join(at, 'tls'), problems, folder),
      }
    })
    if (listener !== undefined) listeners.push(listener)
  }
  return listeners
}

/** Every address that the settings listen on must be free of the others. */
export function refuseOverlaps(places: readonly Place[], problems: Problems): void {
  for (const [index, { path, address }] of places.entries()) {
    const other = places.slice(0, index).find((earlier) => overlap(earlier.address, address))
    if (other === undefined) continue
    const taken = formatAddress(address.ip, address.port)
    problems.add(path, `${taken} is taken by ${other.path}`)
  }
}

/** An inbound connection must not be sent to a listener of this proxy. */
export function refuseLoops(
  targets: readonly Place[],
  places: readonly Place[],
  problems: Problems,
): void {
  for (const { path, address } of targets) {
    const own = places.find((place) => leadsTo(address, place.address))
    if (own === undefined) continue
    const target = formatAddress(address.ip, address.port)
    problems.add(path, `${target} is this proxy itself, at ${own.path}`)
  }
}

/** Nothing to listen on: the proxy would do nothing. */
export function listensNowhere({ outbound, inbound }: Settings): boolean {
  return (
    outbound.transparent === undefined &&
    outbound.listeners.length === 0 &&
    inbound.transparent === undefined &&
    inbound.listeners.length === 0
  )
}

/** `name.namespace`, where `name` alone is of the namespace `default`; empty after a problem. */
export function readServiceName(value: unknown, path: string, problems: Problems): string {
  if (typeof value === 'string' && SERVICE.test(value)) {
    return value.includes('.') ? value : `${value}.default`
  }
  if (value === undefined) problems.add(path, 'is required')
  else problems.add(path, 'must be the name of a Service like reviews.default', value)
  return ''
}

/** Whether the files are there, and good, is found out by whoever serves them. */
function readTls(
  value: unknown,
  path: string,
  problems: Problems,
  folder: string,
): { tls?: TlsSettings } {
  if (value === undefined) return {}
  const fields = readFields(value, path, ['certificate', 'key'], problems)
  const file = (name: string): string =>
    resolve(folder, readString(fields.get(name), join(path, name), problems))
  return { tls: { certificate: file('certificate'), key: file('key') } }
}

function readTarget(value: unknown, path: string, problems: Problems): SocketAddress {
  const before = problems.count
  const address = readAddress(value, path, problems)
  if (problems.count === before && !isUnicast(address.ip)) {
    problems.add(path, 'must be the address of one host', value)
  }
  return address
}

/** The kernel refuses both: a listener on all addresses needs the port on each of them. */
function overlap(one: SocketAddress, other: SocketAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false
  return one.ip === other.ip || covers(one.ip, other.ip) || covers(other.ip, one.ip)
}

/** `::` takes IPv4 as well. */
function covers(wide: string, ip: string): boolean {
  return wide === '::' || (wide === '0.0.0.0' && !ip.includes(':'))
}

function leadsTo(target: SocketAddress, listener: SocketAddress): boolean {
  if (target.port !== listener.port) return false
  if (target.ip === listener.ip) return true
  return isUnspecified(listener.ip) && covers(listener.ip, target.ip) && isLoopback(target.ip)
}

/** What `read` gives, or undefined if it noted a problem. */
function attempt<Value>(problems: Problems, read: () => Value): Value | undefined {
  const before = problems.count
  const value = read()
  return problems.count > before ? undefined : value
}
