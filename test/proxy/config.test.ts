import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'
import { Problems } from '../../src/lib/problems.ts'
import { loadSettings } from '../../src/proxy/config.ts'
import { DEFAULT_H2_LIMITS } from '../../src/proxy/http/h2/h2-limits.ts'
import type { Settings } from '../../src/proxy/settings.ts'
import { SETTINGS_KEYS, settingsTable } from '../../src/proxy/settings-keys.ts'
import { check, read, SOME } from './config-reading.ts'

t.test('config: the defaults', async (t) => {
  const { settings, problems } = read(SOME)
  t.same(problems, [])
  t.strictSame(settings, {
    mode: 'l7',
    workers: 1,
    admin: { ip: '127.0.0.1', port: 15000 },
    metrics: undefined,
    outbound: {
      transparent: { ip: '127.0.0.1', port: 15001 },
      listeners: [],
      connectTimeout: 10_000,
      idleTimeout: 3_600_000,
    },
    inbound: {
      transparent: undefined,
      listeners: [],
      connectTimeout: 1000,
      idleTimeout: 3_600_000,
      concurrency: { limit: undefined, pending: 1024, adaptive: 'off', min: 4 },
    },
    http2: DEFAULT_H2_LIMITS,
    discovery: { files: undefined },
    sockets: 'auto',
    egress: 'allow',
    maxConnections: 20_000,
    keepAlive: 60_000,
    drainGrace: 30_000,
    logLevel: 'info',
    workload: '',
    accessLog: 'off',
    tracing: { endpoint: undefined, sample: 0.01 },
  })
})

const EVERYTHING = `
mode: l4
workers: 4
admin: "[::1]:0"
metrics: 0.0.0.0:15020
sockets: streams
outbound:
  timeouts: { connect: 3s, idle: 1h30m }
  transparent: "[::]:15001"
  listeners:
    - { address: 127.0.0.1:9080, service: reviews.shop, port: 9080 }
    - { address: 127.0.0.1:0, service: ratings, port: 80 }
inbound:
  transparent: 0.0.0.0:15006
  mesh: off
  listeners: [{ address: 127.0.0.1:9081, target: "[::1]:8080" }]
  timeouts: { connect: 250ms, idle: 0s }
  concurrency: { limit: 100, pending: 0, adaptive: gradient, min: 10 }
http2: { maxConcurrentStreams: 10, pingInterval: 30s }
discovery: { files: ./mesh }
egress: deny
maxConnections: 5
keepAlive: 0s
drain: { grace: 0s }
log: { level: debug }
workload: web.shop
accessLog: json
tracing: { endpoint: "http://127.0.0.1:4318", sample: 0.25 }
`

t.test('config: every key in the file', async (t) => {
  const { settings, problems } = read(EVERYTHING)
  t.same(problems, [])
  t.strictSame(settings, {
    mode: 'l4',
    workers: 4,
    admin: { ip: '::1', port: 0 },
    metrics: { ip: '0.0.0.0', port: 15020 },
    outbound: {
      connectTimeout: 3000,
      idleTimeout: 5_400_000,
      transparent: { ip: '::', port: 15001 },
      listeners: [
        { address: { ip: '127.0.0.1', port: 9080 }, service: 'reviews.shop', port: 9080 },
        { address: { ip: '127.0.0.1', port: 0 }, service: 'ratings.default', port: 80 },
      ],
    },
    inbound: {
      transparent: { ip: '0.0.0.0', port: 15006 },
      listeners: [{ address: { ip: '127.0.0.1', port: 9081 }, target: { ip: '::1', port: 8080 } }],
      connectTimeout: 250,
      idleTimeout: 0,
      concurrency: { limit: 100, pending: 0, adaptive: 'gradient', min: 10 },
    },
    http2: { ...DEFAULT_H2_LIMITS, maxConcurrentStreams: 10, pingInterval: 30_000 },
    discovery: { files: resolve('conf/mesh') },
    sockets: 'streams',
    egress: 'deny',
    maxConnections: 5,
    keepAlive: 0,
    drainGrace: 0,
    logLevel: 'debug',
    workload: 'web.shop',
    accessLog: 'json',
    tracing: { endpoint: 'http://127.0.0.1:4318/v1/traces', sample: 0.25 },
  })
})

t.test('config: every key in the environment, over the file', async (t) => {
  const env = {
    UNDERPASS_MODE: 'l4',
    UNDERPASS_WORKERS: '4',
    UNDERPASS_ADMIN: '[::1]:0',
    UNDERPASS_METRICS: '0.0.0.0:15020',
    UNDERPASS_OUTBOUND_TRANSPARENT: ' [::]:15001 ',
    UNDERPASS_OUTBOUND_LISTENERS:
      '[{ address: 127.0.0.1:9080, service: reviews.shop, port: 9080 }, ' +
      '{ address: 127.0.0.1:0, service: ratings, port: 80 }]',
    UNDERPASS_OUTBOUND_TIMEOUTS_CONNECT: '3s',
    UNDERPASS_OUTBOUND_TIMEOUTS_IDLE: '1h30m',
    UNDERPASS_INBOUND_TRANSPARENT: '0.0.0.0:15006',
    UNDERPASS_INBOUND_MESH: 'off',
    UNDERPASS_INBOUND_LISTENERS: '[{ address: 127.0.0.1:9081, target: "[::1]:8080" }]',
    UNDERPASS_INBOUND_TIMEOUTS_CONNECT: '250ms',
    UNDERPASS_INBOUND_TIMEOUTS_IDLE: '0s',
    UNDERPASS_INBOUND_CONCURRENCY_LIMIT: '100',
    UNDERPASS_INBOUND_CONCURRENCY_PENDING: '0',
    UNDERPASS_INBOUND_CONCURRENCY_ADAPTIVE: 'gradient',
    UNDERPASS_INBOUND_CONCURRENCY_MIN: '10',
    UNDERPASS_HTTP2_MAX_CONCURRENT_STREAMS: '10',
    UNDERPASS_HTTP2_PING_INTERVAL: '30s',
    UNDERPASS_DISCOVERY_FILES: 'conf/mesh',
    UNDERPASS_DISCOVERY_CONTROL: '',
    UNDERPASS_SOCKETS: 'streams',
    UNDERPASS_EGRESS: 'deny',
    UNDERPASS_MAX_CONNECTIONS: '5',
    UNDERPASS_KEEP_ALIVE: '0s',
    UNDERPASS_DRAIN_GRACE: '0s',
    UNDERPASS_LOG_LEVEL: 'debug',
    UNDERPASS_WORKLOAD: 'web.shop',
    UNDERPASS_ACCESS_LOG: 'json',
    UNDERPASS_TRACING_ENDPOINT: 'http://127.0.0.1:4318',
    UNDERPASS_TRACING_SAMPLE: '0.25',
  }
  // Of HTTP/2 limits there are many, all alike: config-http2.test.ts tries each.
  const untried = SETTINGS_KEYS.map(({ env }) => env).filter((name) => !(name in env))
  t.same(
    untried.filter((name) => !name.startsWith('UNDERPASS_HTTP2_')),
    [],
    'all of them are tried here',
  )
  const file = 'admin: 127.0.0.1:1\negress: allow\nmaxConnections: 9\nkeepAlive: 9s\n'
  const { settings, problems } = read(file, env)
  t.same(problems, [])
  t.strictSame(settings, read(EVERYTHING).settings)
})

t.test('config: unknown keys and variables', async (t) => {
  check(t, [
    [`${SOME}mod: l4`, {}, ['.mod', 'is not a known key; known here: mode, workers']],
    [
      `${SOME}inbound: { timeouts: { idel: 1s } }`,
      {},
      ['.inbound.timeouts.idel', 'known here: connect, idle'],
    ],
    [`${SOME}log: debug`, {}, ['.log', 'must be a mapping']],
    [`${SOME}__proto__: {}`, {}, ['.__proto__', 'is not a known key']],
    [SOME, { UNDERPASS_MODUS: 'l4' }, ['UNDERPASS_MODUS', 'is not a known variable']],
    [SOME, { UNDERPASS_ADMIN_PORT: '15000' }, ['UNDERPASS_ADMIN_PORT', 'is not a known variable']],
    ['3', {}, ['conf/proxy.yaml', 'must be a mapping']],
    ['a: [', {}, ['conf/proxy.yaml#1 line 1, column 5', 'Flow sequence']],
    [`${SOME}---\n${SOME}`, {}, ['conf/proxy.yaml', 'must be one document, not 2']],
    [`${SOME}admin: off\nadmin: off`, {}, ['conf/proxy.yaml#1 line 3, column 1', 'there twice']],
  ])
})

t.test('config: variables that are not ours to judge', async (t) => {
  const env = {
    UNDERPASS_WORLD: '1',
    UNDERPASS_INIT_PROXY_UID: '1337',
    UNDERPASS_CONTROL_SERVICE_HOST: '198.18.0.1',
    UNDERPASS_CONTROL_SERVICE_PORT: '15010',
    UNDERPASS_CONTROL_SERVICE_PORT_GRPC: '15010',
    UNDERPASS_CONTROL_PORT: 'tcp://198.18.0.1:15010',
    UNDERPASS_CONTROL_PORT_15010_TCP: 'tcp://198.18.0.1:15010',
    UNDERPASS_CONTROL_PORT_15010_TCP_ADDR: '198.18.0.1',
    UNDERPASS_EGRESS: ' ',
    PATH: '/bin',
  }
  t.same(read(SOME, env).problems, [])
})

t.test('config: values', async (t) => {
  const address = 'must be an address like 127.0.0.1:15001'
  check(t, [
    [`${SOME}mode: l3`, {}, ['.mode', 'must be one of l4, l7']],
    [`${SOME}workers: 0`, {}, ['.workers', 'from 1 to 256']],
    [`${SOME}workers: 257`, {}, ['.workers', 'from 1 to 256']],
    [`${SOME}workers: all`, {}, ['.workers', 'from 1 to 256']],
    [
      SOME,
      { UNDERPASS_WORKERS: 'two' },
      ['UNDERPASS_WORKERS', 'whole number from 1 to 256, but found "two"'],
    ],
    [`${SOME}inbound: { mesh: 0.0.0.0:15008 }`, {}, ['.inbound.mesh', 'needs mTLS']],
    [
      `${SOME}discovery: { control: "https://127.0.0.1:15010" }`,
      {},
      ['.discovery.control', 'control plane'],
    ],
    [`${SOME}admin: 0.0.0.0:15000`, {}, ['.admin', 'must be a loopback address']],
    [
      SOME,
      { UNDERPASS_ADMIN: '198.18.0.1:15000' },
      ['UNDERPASS_ADMIN', 'must be a loopback address'],
    ],
    [`${SOME}admin: 15000`, {}, ['.admin', address]],
    [`${SOME}admin: false`, {}, ['.admin', address]],
    ['outbound: { transparent: localhost:15001 }', {}, ['.outbound.transparent', address]],
    ['inbound: { transparent: ":15006" }', {}, ['.inbound.transparent', address]],
    [`${SOME}metrics: 15020`, {}, ['.metrics', address]],
    [`${SOME}metrics: 127.0.0.1:15000`, {}, ['.metrics', '127.0.0.1:15000 is taken by admin']],
    [`${SOME}sockets: raw`, {}, ['.sockets', 'must be one of auto, streams']],
    [`${SOME}egress: maybe`, {}, ['.egress', 'must be one of allow, deny']],
    [`${SOME}maxConnections: 0`, {}, ['.maxConnections', 'from 1 to 1000000']],
    [`${SOME}keepAlive: 500ms`, {}, ['.keepAlive', 'at least 1s, or 0s for none']],
    [`${SOME}keepAlive: 10h`, {}, ['.keepAlive', 'at most 9h6m7s']],
    [`${SOME}drain: { grace: 30 }`, {}, ['.drain.grace', 'must be a duration like']],
    [`${SOME}log: { level: trace }`, {}, ['.log.level', 'must be one of silent, error']],
    [
      `${SOME}inbound: { timeouts: { connect: 0s } }`,
      {},
      ['.inbound.timeouts.connect', 'must be a duration'],
    ],
    [`${SOME}discovery: { files: [] }`, {}, ['.discovery.files', 'must be text']],
  ])
})

t.test('config: listeners', async (t) => {
  const outbound = (list: string): string =>
    `discovery: { files: a }\noutbound: { listeners: ${list} }`
  const inbound = (list: string): string => `inbound: { listeners: ${list} }`
  const at = '.outbound.listeners[0]'
  check(t, [
    [outbound('{}'), {}, ['.outbound.listeners', 'must be a list']],
    [
      outbound('[{}]'),
      {},
      [`${at}.address`, 'must be an address'],
      [`${at}.service`, 'is required'],
      [`${at}.port`, 'must be a whole number'],
    ],
    [
      outbound('[{ address: 127.0.0.1:1, service: A, port: 1 }]'),
      {},
      [`${at}.service`, 'reviews.default'],
    ],
    [
      outbound('[{ address: 127.0.0.1:1, service: a.b.c, port: 1 }]'),
      {},
      [`${at}.service`, 'the name of'],
    ],
    [
      outbound('[{ address: 127.0.0.1:1, service: a, port: 1, x: 1 }]'),
      {},
      [`${at}.x`, 'not a known key'],
    ],
    [
      SOME,
      { UNDERPASS_OUTBOUND_LISTENERS: '[{ address: a, service: a, port: 1 }]' },
      ['UNDERPASS_OUTBOUND_LISTENERS[0].address', 'must be an address'],
    ],
    [
      SOME,
      { UNDERPASS_OUTBOUND_LISTENERS: '[' },
      ['UNDERPASS_OUTBOUND_LISTENERS#1 line 1, column 2', 'Flow'],
    ],
    [
      'outbound: { listeners: [{ address: 127.0.0.1:1, service: a, port: 1 }] }',
      {},
      ['.outbound.listeners', 'need discovery.files'],
    ],
    [
      inbound('[{ address: 127.0.0.1:1 }]'),
      {},
      ['.inbound.listeners[0].target', 'must be an address'],
    ],
    [
      inbound('[{ address: 127.0.0.1:1, target: 0.0.0.0:2 }]'),
      {},
      ['.inbound.listeners[0].target', 'the address of one host'],
    ],
  ])
})

t.test('config: what the settings say together', async (t) => {
  const taken = (address: string, by: string): string =>
    `${address} is taken by conf/proxy.yaml ${by}`
  check(t, [
    ['', {}, ['conf/proxy.yaml', 'nothing to listen on']],
    ['admin: off', {}, ['conf/proxy.yaml', 'nothing to listen on']],
    [
      `${SOME}inbound: { transparent: 127.0.0.1:15001 }`,
      {},
      ['.inbound.transparent', taken('127.0.0.1:15001', 'outbound.transparent')],
    ],
    [
      `${SOME}inbound: { transparent: 0.0.0.0:15001 }`,
      {},
      ['.inbound.transparent', taken('0.0.0.0:15001', 'outbound.transparent')],
    ],
    [
      `${SOME}inbound: { transparent: "[::]:15000" }`,
      {},
      ['.inbound.transparent', '[::]:15000 is taken by admin'],
    ],
    [
      'inbound: { listeners: [{ address: 127.0.0.1:1, target: 127.0.0.1:2 }, ' +
        '{ address: "[::ffff:127.0.0.1]:1", target: 127.0.0.1:2 }] }',
      {},
      ['.inbound.listeners[1].address', taken('127.0.0.1:1', 'inbound.listeners[0].address')],
    ],
    [
      'inbound: { listeners: [{ address: 0.0.0.0:1, target: 127.0.0.1:1 }] }',
      {},
      [
        '.inbound.listeners[0].target',
        '127.0.0.1:1 is this proxy itself, at conf/proxy.yaml inbound',
      ],
    ],
    [
      SOME,
      { UNDERPASS_INBOUND_TRANSPARENT: '127.0.0.1:15001' },
      ['UNDERPASS_INBOUND_TRANSPARENT', taken('127.0.0.1:15001', 'outbound.transparent')],
    ],
  ])
  const apart =
    'outbound: { transparent: 0.0.0.0:1 }\ninbound: { transparent: "[fd00::1]:1", ' +
    'listeners: [{ address: 127.0.0.1:0, target: 198.18.0.1:1 }, { address: 127.0.0.1:0, target: 198.18.0.1:1 }] }'
  t.same(read(apart).problems, [])
})

t.test('config: all problems at once', async (t) => {
  const { problems } = read('mode: l8\nadmin: x\ninbund: {}\n', {
    UNDERPASS_EGRESS: 'x',
    UNDERPASS_X: '1',
  })
  t.equal(problems.length, 5)
})

t.test('config: the file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'underpass-config-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const path = join(folder, 'proxy.yaml')
  const load = async (name: string | undefined): Promise<[Settings, string]> => {
    const problems = new Problems()
    const env = name === undefined ? { UNDERPASS_INBOUND_TRANSPARENT: '127.0.0.1:1' } : {}
    return [await loadSettings(name, env, problems), problems.toString()]
  }
  writeFileSync(path, `${SOME}discovery: { files: mesh }`)
  const [settings, none] = await load(path)
  t.equal(none, '')
  t.equal(settings.discovery.files, join(folder, 'mesh'))
  t.equal((await load(undefined))[1], '', 'the environment alone is enough')
  t.match((await load(join(folder, 'gone.yaml')))[1], /^\S+gone\.yaml: does not exist$/)
  t.match((await load(folder))[1], /: cannot be read: it is a folder/)
  writeFileSync(path, '#'.repeat(1_048_577))
  t.match((await load(path))[1], /proxy\.yaml: is larger than 1048576 bytes/)
})

t.test('config: the table for the README', async (t) => {
  const rows = settingsTable().split('\n')
  t.equal(rows.length, SETTINGS_KEYS.length + 2)
  t.equal(rows[2]?.startsWith('| `mode` | `UNDERPASS_MODE` | `l7` | '), true)
  t.ok(rows.every((row) => row.split(' | ').length === 4 || row.startsWith('|---')))
})
