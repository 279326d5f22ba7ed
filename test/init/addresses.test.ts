// What the trial connection dials: only what the options capture, and nobody's where that is possible.

import t from 'tap'
import { probeTarget } from '../../init/addresses.ts'
import { defaultOptions } from '../../init/options.ts'
import { parseCidr } from '../../src/lib/address.ts'

const defaults = defaultOptions()
const cidrs = (...texts: string[]): NonNullable<ReturnType<typeof parseCidr>>[] =>
  texts.map((text) => parseCidr(text)).filter((cidr) => cidr !== undefined)

t.test('probe: a documentation address and the discard port by default', async (t) => {
  t.same(probeTarget(defaults, 4, []), { ip: '192.0.2.1', port: 9 })
  t.same(probeTarget(defaults, 6, []), { ip: '2001:db8::1', port: 9 })
})

t.test('probe: excluded networks and ports are avoided', async (t) => {
  const outboundCidrsExclude = cidrs('192.0.2.0/24', '2001:db8::/48')
  const outboundPortsExclude = [{ first: 1, last: 14999 }]
  const options = { ...defaults, outboundCidrsExclude, outboundPortsExclude }
  t.same(probeTarget(options, 4, []), { ip: '198.51.100.1', port: 15002 })
  t.same(probeTarget(options, 6, []), { ip: '2001:db8:ffff::1', port: 15002 })
})

t.test('probe: within what is included', async (t) => {
  const from = (...texts: string[]): typeof defaults => ({
    ...defaults,
    outboundCidrsInclude: cidrs(...texts),
  })
  t.same(probeTarget(from('192.0.0.0/8'), 4, []), { ip: '192.0.2.1', port: 9 })
  t.same(probeTarget(from('198.18.0.0/15'), 4, []), { ip: '198.19.255.254', port: 9 })
  t.same(probeTarget(from('198.18.7.7/32'), 4, []), { ip: '198.18.7.7', port: 9 })
  t.same(probeTarget(from('127.0.0.0/8'), 4, ['127.0.0.1']), { ip: '127.255.255.254', port: 9 })
  t.same(probeTarget(from('::1/128'), 6, ['::1']), { ip: '::1', port: 9 })
})

t.test('probe: what the rules do not capture is not tried', async (t) => {
  const none = { ...defaults, outboundPortsInclude: [] }
  t.equal(probeTarget(none, 4, []), 'no outbound port is captured')
  const v4 = { ...defaults, outboundCidrsInclude: cidrs('198.18.7.7/32') }
  t.equal(probeTarget(v4, 6, []), 'no outbound IPv6 address is captured')
  t.equal(probeTarget(v4, 4, ['198.18.7.7']), 'no outbound IPv4 address is captured')
  const excluded = { ...defaults, outboundCidrsExclude: cidrs('0.0.0.0/0') }
  t.equal(probeTarget(excluded, 4, []), 'no outbound IPv4 address is captured')
})
