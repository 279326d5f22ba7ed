// The options of the redirects: defaults, every form that is accepted, and every problem at once.

import t from 'tap'
import {
  defaultOptions,
  FLAGS,
  gather,
  type Options,
  parseOptions,
  variableOf,
} from '../../init/options.ts'
import { Problems } from '../../src/lib/problems.ts'

type Texts = Readonly<Record<string, string>>

function read(flags: Texts, environment: Texts = {}): { options: Options; problems: string[] } {
  const problems = new Problems()
  const options = parseOptions(gather(flags, environment, ['dry-run'], problems), problems)
  return { options, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) }
}

t.test('options: the defaults are those operators know', async (t) => {
  t.match(defaultOptions(), {
    outboundPort: 15001,
    inboundPort: 15006,
    meshPort: 15008,
    adminPort: 15000,
    metricsPort: 15020,
    proxyUid: 1337,
    proxyGid: 1337,
    inboundPortsInclude: 'all',
    outboundPortsInclude: 'all',
    outboundCidrsInclude: 'all',
    inboundPortsExclude: [],
    dropInvalid: false,
    ipv6: 'auto',
    backend: 'auto',
    lockWait: 30,
    verify: true,
  })
  t.same(read({}).problems, [])
})

t.test('options: lists of ports are sorted, merged and may be ranges', async (t) => {
  const { options, problems } = read({
    'inbound-ports-exclude': '3000-3010, 80,81,3005-3020,443,80',
  })
  t.same(problems, [])
  t.same(options.inboundPortsExclude, [
    { first: 80, last: 81 },
    { first: 443, last: 443 },
    { first: 3000, last: 3020 },
  ])
})

t.test('options: everything and nothing', async (t) => {
  t.equal(read({ 'outbound-cidrs-include': '*' }).options.outboundCidrsInclude, 'all')
  t.same(read({ 'outbound-ports-include': '' }).options.outboundPortsInclude, [])
  t.same(read({ 'outbound-cidrs-include': '' }).options.outboundCidrsInclude, [])
})

t.test('options: networks in normal form, of both families', async (t) => {
  const { options } = read({
    'outbound-cidrs-exclude': '10.1.2.3/8,FD00:0::1/8,192.0.2.7,10.0.0.0/8',
  })
  t.same(
    options.outboundCidrsExclude.map(({ text }) => text),
    ['10.0.0.0/8', 'fd00::/8', '192.0.2.7/32'],
  )
})

t.test('options: the environment counts where the command line says nothing', async (t) => {
  const environment = {
    UNDERPASS_INIT_OUTBOUND_PORT: '16001',
    UNDERPASS_INIT_INBOUND_PORT: '16006',
  }
  const { options, problems } = read({ 'inbound-port': '17006' }, { ...environment, HOME: '/' })
  t.same(problems, [])
  t.equal(options.outboundPort, 16001)
  t.equal(options.inboundPort, 17006)
  t.equal(new Set(FLAGS.map(({ name }) => variableOf(name))).size, FLAGS.length)
})

t.test('options: an empty variable says nothing, unless it is a list', async (t) => {
  const lists = new Set<string>(['<ports>', '<cidrs>', '<names>', '<uids>', '<gids>'])
  const scalars = FLAGS.filter(({ value }) => !lists.has(value)).map(({ name }) => name)
  t.equal(scalars.length, 12)
  const empty = Object.fromEntries(scalars.map((name) => [variableOf(name), ' ']))
  const { options, problems } = read({}, { ...empty, UNDERPASS_INIT_VERIFY: '' })
  t.same(problems, [])
  t.same(options, defaultOptions())
  const nothing = read({}, { UNDERPASS_INIT_OUTBOUND_PORTS_INCLUDE: '' })
  t.same(nothing.options.outboundPortsInclude, [])
  t.equal(read({ verify: '' }).problems.length, 1, 'on the command line somebody wrote it')
})

t.test('options: every problem at once, with its flag or variable and value', async (t) => {
  const { problems } = read(
    {
      'outbound-port': '0',
      'mesh-port': '15006',
      'proxy-uid': '0',
      'inbound-ports-exclude': '80,x,9-3,70000,1-2-3,,80',
      'uids-exclude': '-1',
      'outbound-cidrs-exclude': '300.0.0.0/8,10.0.0.0/33,fd00::/8',
      'interfaces-exclude': 'eth0,a-name-that-is-long,+,a b',
      backend: 'ebpf',
      verify: 'yes',
      'lock-wait': '1.5',
    },
    {
      UNDERPASS_INIT_METRICS_PORT: 'many',
      UNDERPASS_INIT_PORT: '1',
      UNDERPASS_INIT_DRY_RUN: 'true',
    },
  )
  const port = 'must list items like 80 or 3000-3010, each a port from 1 to 65535, but found'
  const name = 'must list interfaces like eth1 or tun+, but found'
  t.same(problems, [
    'UNDERPASS_INIT_PORT: is not a known variable, but found "1"',
    '--outbound-port: must be a port from 1 to 65535, but found "0"',
    'UNDERPASS_INIT_METRICS_PORT: must be a port from 1 to 65535, but found "many"',
    '--proxy-uid: must be a numeric id from 1 to 4294967294, but found "0"',
    `--inbound-ports-exclude: ${port} "x"`,
    `--inbound-ports-exclude: ${port} "9-3"`,
    `--inbound-ports-exclude: ${port} "70000"`,
    `--inbound-ports-exclude: ${port} "1-2-3"`,
    `--inbound-ports-exclude: ${port} ""`,
    '--outbound-cidrs-exclude: must list CIDRs like 10.0.0.0/8 or fd00::/8, but found "300.0.0.0/8"',
    '--outbound-cidrs-exclude: must list CIDRs like 10.0.0.0/8 or fd00::/8, but found "10.0.0.0/33"',
    `--interfaces-exclude: ${name} "a-name-that-is-long"`,
    `--interfaces-exclude: ${name} "+"`,
    `--interfaces-exclude: ${name} "a b"`,
    '--uids-exclude: must list items like 80 or 3000-3010, each a numeric id from 0 to 4294967294, but found "-1"',
    '--backend: must be one of auto, nft, legacy, but found "ebpf"',
    '--lock-wait: must be a number of seconds from 0 to 3600, but found "1.5"',
    '--verify: must be one of true, false, but found "yes"',
    '--mesh-port: must differ from --inbound-port, but found 15006',
  ])
})
