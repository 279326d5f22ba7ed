// Manifests and configurations with random damage: whatever it is, reading does not throw, every problem names the
// file, and what is accepted has the promised form. The seed is printed; FUZZ_SEED=<number> repeats a run.

import t from 'tap'
import { familyOf, parseIp } from '../../src/lib/address.ts'
import { Problems } from '../../src/lib/problems.ts'
import { type Random, seededRandom, systemRandom } from '../../src/lib/random.ts'
import { readSettings } from '../../src/proxy/config.ts'
import { makeRouter } from '../../src/proxy/route/first-match.ts'
import { makeRoute } from '../../src/proxy/route/make-route.ts'
import { SETTINGS_KEYS } from '../../src/proxy/settings-keys.ts'
import { read } from '../api/manifests.ts'
import { headOf } from '../proxy/route/heads.ts'

const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(systemRandom() * 2 ** 32))
t.comment(`FUZZ_SEED=${seed}`)

const ROUNDS = 1000
const HEAD = headOf('POST /a/b?c', ['X-A: b'])
const MANIFEST = `apiVersion: v1
kind: Service
metadata: { name: reviews, labels: { a: b }, annotations: { c: d } }
spec:
  clusterIP: 198.18.0.1
  clusterIPs: [198.18.0.1, "fd00::1"]
  ports:
    - { name: http, port: 80, protocol: TCP, targetPort: web, appProtocol: http }
    - { name: dns, port: 53, protocol: UDP }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: reviews-1
  labels: { kubernetes.io/service-name: reviews }
  annotations: { underpass.dev/weight: "10", underpass.dev/mesh-port: "15008" }
addressType: IPv4
endpoints: [{ addresses: [198.18.1.1], conditions: { ready: true, serving: true } }]
ports: [{ name: http, port: 8080 }]
---
apiVersion: underpass.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: reviews }
spec:
  targetRef: { kind: Service, name: reviews, sectionName: http }
  loadBalancer: { algorithm: random, sessionAffinity: { sourceIP: {} } }
  timeouts: { connect: 1s, idle: 5m, request: 15s, perTry: 2s }
  retries: { attempts: 2, on: [reset, 503], methods: [GET], budget: { percent: 20 }, hedge: { after: 1s } }
  circuitBreaker: { maxConnections: 10, outlier: { slowerThanPeers: 5, ejection: { base: 1s, max: 9s } } }
  faults: { delay: { duration: 2s, percent: 10 }, abort: { status: 503 } }
  mirror: { service: reviews-next, port: 80, percent: 1 }
  routes:
    - name: checkout
      matches: [{ path: { type: Exact, value: /a }, method: POST, headers: [{ name: x-a, value: b }] }]
      timeouts: { request: 3s }
      retries: { backoff: { base: 1ms } }
---
{ apiVersion: v1, kind: List, items: [{ apiVersion: v1, kind: ServiceAccount, metadata: { name: a } }] }
`
const CONFIG = `mode: l4
admin: 127.0.0.1:15000
outbound:
  transparent: 0.0.0.0:15001
  listeners: [{ address: 127.0.0.1:9080, service: reviews.default, port: 9080 }]
inbound:
  transparent: "[::]:15006"
  listeners: [{ address: 127.0.0.1:9081, target: 127.0.0.1:8080 }]
  timeouts: { connect: 1s, idle: 1h }
discovery: { files: ./mesh }
egress: allow
keepAlive: 60s
`
/** Words that have broken readers before. */
const NASTY = [
  ...[
    'null',
    '~',
    '',
    '{}',
    '[]',
    '[[]]',
    '.inf',
    '.nan',
    '-0',
    '0',
    '-1',
    '65536',
    '1e999',
    '0x10',
  ],
  ...[
    'true',
    '"',
    "'",
    '|',
    '>',
    '&a',
    '*a',
    '<<: *a',
    '!!binary x',
    '!!set {a}',
    '!x',
    '%',
    '\t',
    '#',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '---',
    '...',
    '? a',
    '- ',
    ': ',
    ',',
    '{',
    '[',
    '}',
    ']',
  ],
  ...[
    '\u0000',
    '\u001b[2J',
    '\u202e',
    '\ud800',
    '😀',
    '198.18.0.256',
    '::',
    'fe80::1%lo',
    '9'.repeat(400),
  ],
]

function pick<Item>(random: Random, items: readonly Item[]): Item {
  const chosen = items[Math.floor(random() * items.length)]
  if (chosen === undefined) throw new Error('nothing to pick from')
  return chosen
}

/** One random piece of damage. */
function damage(text: string, random: Random): string {
  const at = Math.floor(random() * (text.length + 1))
  const end = Math.min(text.length, at + Math.floor(random() * 30))
  const words = [...text.matchAll(/[\w./:-]+/g)]
  const word = words.length === 0 ? undefined : pick(random, words)
  const kinds = [
    () => text.slice(0, at) + text.slice(end),
    () => text.slice(0, at),
    () => text.slice(0, at) + pick(random, NASTY) + text.slice(at),
    () => text.slice(0, at) + text.slice(at, end).repeat(3) + text.slice(end),
    () => text.slice(0, at) + text.slice(end) + text.slice(at, end),
    () => {
      if (word === undefined) return text
      return (
        text.slice(0, word.index) + pick(random, NASTY) + text.slice(word.index + word[0].length)
      )
    },
  ]
  return pick(random, kinds)()
}

function damaged(text: string, random: Random): string {
  let result = text
  for (let left = 1 + Math.floor(random() * 2); left > 0; left -= 1) result = damage(result, random)
  return result
}

t.test('fuzz: damaged manifests', async (t) => {
  const random = seededRandom(seed)
  let refused = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const text = damaged(MANIFEST, random)
    try {
      const { resources, problems, warnings } = read(text)
      for (const line of [...problems, ...warnings]) {
        if (!/^f\.yaml(#\d+)?[ :]/.test(line))
          throw new Error(`a problem without its file: ${line}`)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        if (/[\u0000-\u001f\u202e]/.test(line)) throw new Error('a problem with control characters')
      }
      if (problems.length > 0) refused += 1
      for (const { clusterIPs, ports } of problems.length > 0 ? [] : resources.services) {
        if (clusterIPs.some((ip) => parseIp(ip) !== ip))
          throw new Error('an address in no normal form')
        if (ports.some(({ port }) => !(port >= 1 && port <= 65535))) throw new Error('a wrong port')
      }
      for (const { endpoints, weight } of problems.length > 0 ? [] : resources.endpointSlices) {
        const ips = endpoints.flatMap(({ addresses }) => addresses)
        if (new Set(ips.map(familyOf)).size > 1) throw new Error('mixed families')
        if (!(weight >= 1 && weight <= 1000)) throw new Error('a wrong weight')
      }
      for (const { rules, routes } of problems.length > 0 ? [] : resources.trafficPolicies) {
        for (const { name, rules: own } of [{ name: 'default', rules }, ...routes])
          makeRoute(name, own)
        makeRouter(routes)?.find(HEAD)
      }
    } catch (error) {
      t.fail(`FUZZ_SEED=${seed} round ${round}: ${String(error)}`, { text })
      return
    }
  }
  t.ok(refused > ROUNDS / 4, `the damage is felt: ${refused} of ${ROUNDS} were refused`)
  t.ok(refused < ROUNDS, 'and not everything is')
})

t.test('fuzz: damaged configurations and variables', async (t) => {
  const random = seededRandom(seed + 1)
  let refused = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const text = damaged(CONFIG, random)
    const { env } = pick(random, SETTINGS_KEYS)
    const variables = random() < 0.3 ? { [env]: damaged(pick(random, NASTY), random) } : {}
    try {
      const problems = new Problems()
      const settings = readSettings({ name: 'c.yaml', text }, variables, problems)
      if (problems.list.some(({ path }) => !/^(?:c\.yaml|UNDERPASS_)/.test(path))) {
        throw new Error(`a problem without its place: ${problems.toString()}`)
      }
      if (problems.any) refused += 1
      else if (!(settings.keepAlive >= 0 && settings.maxConnections >= 1)) throw new Error('wrong')
    } catch (error) {
      t.fail(`FUZZ_SEED=${seed} round ${round}: ${String(error)}`, { text, variables })
      return
    }
  }
  t.ok(refused > ROUNDS / 4, `the damage is felt: ${refused} of ${ROUNDS} were refused`)
  t.ok(refused < ROUNDS, 'and not everything is')
})
