// Proves by a real connection that the redirect works and that the kernel names the original destination.
//
// It stands where the proxy will stand, opens a connection as an application would, and asks the accepted socket
// where it was going. Only the way out can be tried from inside a pod: what arrives from outside is redirected in
// PREROUTING, which connections of the pod's own never pass; those rules are read back by apply.ts. Where nothing
// that is captured can be dialled, the verdict says so instead of guessing.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { familyOf, formatAddress, parseIp, type SocketAddress } from '../src/lib/address.ts'
import type { Clock } from '../src/lib/clock.ts'
import { originalDestination } from '../src/lib/socket-option.ts'
import { holds, probeTarget } from './addresses.ts'
import type { Options } from './options.ts'

export interface Verdict {
  readonly kind: 'verified' | 'skipped' | 'failed'
  readonly reason: string
}

/** Long enough for a loaded node, short enough for a pod's start. */
const PATIENCE = 3000

/** Tries the outbound redirect of one family. */
export async function verify(options: Options, family: 4 | 6, clock: Clock): Promise<Verdict> {
  const exempt = whyExempt(options)
  if (exempt !== undefined) return skipped(exempt)
  const target = probeTarget(options, family, localAddresses())
  if (typeof target === 'string') return skipped(target)
  const route = await whyNotRouted(options, target)
  if (route !== undefined) return skipped(route)
  const server = createServer()
  try {
    await listen(server, { ip: family === 4 ? '127.0.0.1' : '::1', port: options.outboundPort })
    return await probe(server, target, clock)
  } catch (error) {
    return skipped(`nothing can listen on port ${options.outboundPort} (${codeOf(error)})`)
  } finally {
    server.close()
  }
}

function skipped(reason: string): Verdict {
  return { kind: 'skipped', reason }
}

/** The probe is one of this process, whose connections the rules may leave alone. */
function whyExempt(options: Options): string | undefined {
  const uid = process.geteuid?.() ?? 0
  const gid = process.getegid?.() ?? 0
  if (uid === options.proxyUid || gid === options.proxyGid) {
    return 'this process runs as the proxy, which is not captured'
  }
  if (holds(options.uidsExclude, uid)) return `connections of uid ${uid} are excluded`
  if (holds(options.gidsExclude, gid)) return `connections of gid ${gid} are excluded`
  return undefined
}

function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((found) =>
    (found ?? []).map(({ address }) => parseIp(address) ?? address),
  )
}

/** Asks the kernel for the route by connecting a datagram socket, which sends nothing. */
async function whyNotRouted(
  options: Options,
  { ip, port }: SocketAddress,
): Promise<string | undefined> {
  const socket = createSocket(familyOf(ip) === 4 ? 'udp4' : 'udp6')
  try {
    const connected = once(socket, 'connect')
    socket.connect(port, ip)
    await connected
    const source = parseIp(socket.address().address)
    const leaving = Object.entries(networkInterfaces()).find(([, found]) =>
      found?.some(({ address }) => parseIp(address) === source),
    )?.[0]
    const excluded = leaving !== undefined && isExcluded(options.interfacesExclude, leaving)
    return excluded ? `connections through ${leaving} are excluded` : undefined
  } catch (error) {
    return `there is no route to ${ip} (${codeOf(error)})`
  } finally {
    socket.close()
  }
}

function isExcluded(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  )
}

async function listen(server: Server, { ip, port }: SocketAddress): Promise<void> {
  const listening = once(server, 'listening')
  server.listen(port, ip)
  await listening
}

/** Dials the target and waits for the connection to come out at our listener; other connections are ended. */
async function probe(server: Server, target: SocketAddress, clock: Clock): Promise<Verdict> {
  const client = connect(target.port, target.ip)
  const arrived = new Map<number | undefined, Verdict>()
  const verdict = await new Promise<Verdict>((resolve) => {
    const shown = formatAddress(target.ip, target.port)
    const fail = (reason: string): void => {
      resolve({ kind: 'failed', reason: `a connection to ${shown} ${reason}` })
    }
    const timer = clock.after(PATIENCE, () => {
      fail(`did not reach the proxy's port within ${PATIENCE} ms`)
    })
    const look = (): void => {
      const found = client.connecting ? undefined : arrived.get(client.localPort)
      if (found !== undefined) resolve(found)
    }
    server.on('connection', (socket) => {
      socket.on('error', () => undefined)
      arrived.set(socket.remotePort, judge(socket, target))
      socket.destroy()
      look()
    })
    client.once('connect', look)
    client.once('error', (error) => {
      fail(`was not redirected: ${codeOf(error)}`)
    })
    client.once('close', () => {
      timer.cancel()
    })
  })
  client.destroy()
  return verdict
}

function judge(socket: Socket, target: SocketAddress): Verdict {
  const shown = formatAddress(target.ip, target.port)
  try {
    const found = originalDestination(descriptorOf(socket), familyOf(target.ip))
    const original = formatAddress(found.ip, found.port)
    if (original === shown) return { kind: 'verified', reason: `a connection to ${shown} arrived` }
    return { kind: 'failed', reason: `a connection to ${shown} arrived as one to ${original}` }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return { kind: 'failed', reason: `a connection to ${shown} arrived, but ${said}` }
  }
}

/** Node keeps the descriptor in its handle and shows it nowhere else. */
function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle?: { fd?: number } | null })._handle?.fd ?? -1
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
