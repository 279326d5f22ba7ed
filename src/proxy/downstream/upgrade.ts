// Which upgrades are offered to the endpoint.
//
// HTTP/2 by upgrade (h2c) is obsolete (RFC 9113 section 3.1) and would take the requests out of sight, so it is not
// passed on: the request goes as HTTP/1.1, as the RFC has it for a server that does not know the protocol.

import { Field } from '../http/fields.ts'
import type { Head } from '../http/head.ts'
import type { Exchange } from '../stack/exchange.ts'

export function stripUnofferedUpgrade(head: Head, exchange: Exchange): void {
  if (!head.upgrade) return
  for (let at = head.indexOf(Field.upgrade); at >= 0; at = head.find('upgrade', at + 1)) {
    const protocols = head.valueAt(at).toLowerCase().split(',')
    if (!protocols.some((protocol) => protocol.trim() === 'h2c')) continue
    head.upgrade = false
    exchange.requestCut |= 1 << Field.upgrade
    return
  }
}
