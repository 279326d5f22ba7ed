// Where a redirected connection was going before the kernel turned it to us: getsockopt(SO_ORIGINAL_DST).
//
// Node has no getsockopt, so this one call goes through koffi, which is loaded at the first use: a process that
// never asks does not pay its memory. The connection tracker answers, per address family; a connection that was not
// redirected has its own local address as the answer. What to do with the answer is left to the callers.

import { createRequire } from 'node:module'
import ipaddr from 'ipaddr.js'
import type * as Koffi from 'koffi'
import type { SocketAddress } from './address.ts'
import { MeshError } from './errors.ts'

// Linux: SOL_IP and SOL_IPV6 as levels; IP6T_SO_ORIGINAL_DST has the same number as SO_ORIGINAL_DST.
const SOL_IP = 0
const SOL_IPV6 = 41
const SO_ORIGINAL_DST = 80
const AF_INET = 2
const AF_INET6 = 10

type GetSocketOption = (
  fd: number,
  level: number,
  name: number,
  value: Uint8Array,
  length: Uint32Array,
) => number

interface Library {
  readonly getsockopt: GetSocketOption
  readonly errno: () => number
}

// One answer is read before the next is asked for, so one buffer serves every call: sockaddr_in6 is the larger, 28.
const answer = new Uint8Array(28)
const answerLength = new Uint32Array(1)
let library: Library | undefined

/**
 * The original destination of an accepted connection. `family` is that of the packets, not of the listener: an IPv4
 * peer of a dual-stack socket (an IPv4-mapped remote address) is 4.
 */
export function originalDestination(fd: number, family: 4 | 6): SocketAddress {
  library ??= load()
  answerLength[0] = answer.length
  const level = family === 4 ? SOL_IP : SOL_IPV6
  const status = library.getsockopt(fd, level, SO_ORIGINAL_DST, answer, answerLength)
  if (status !== 0) {
    throw new MeshError('original-destination-unknown', { errno: library.errno(), family })
  }
  // The port stands in network order, the address family in the machine's own.
  const port = ((answer[2] ?? 0) << 8) | (answer[3] ?? 0)
  const found = (answer[0] ?? 0) | (answer[1] ?? 0)
  if (found !== (family === 4 ? AF_INET : AF_INET6)) {
    throw new MeshError('original-destination-unknown', { addressFamily: found, family })
  }
  if (family === 4) {
    return { ip: `${answer[4]}.${answer[5]}.${answer[6]}.${answer[7]}`, port }
  }
  return { ip: ipaddr.fromByteArray([...answer.subarray(8, 24)]).toString(), port }
}

/** Loads the library now, so that the first connection does not wait for it; throws where it cannot be loaded. */
export function prepareOriginalDestination(): void {
  library ??= load()
}

function load(): Library {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    const getsockopt = koffi
      .load(null)
      .func('int getsockopt(int fd, int level, int name, void *value, void *length)')
    return { getsockopt: getsockopt as GetSocketOption, errno: () => koffi.errno() }
  } catch (cause) {
    throw new MeshError('original-destination-unknown', { library: 'koffi' }, cause)
  }
}
