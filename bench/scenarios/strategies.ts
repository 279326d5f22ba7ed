// What resilience costs while nothing fails: the same requests through a proxy with every strategy configured, and
// through one with none; outbound, and inbound in front of an application. HAProxy and nginx stand beside them.

import { direct } from '../targets/direct.ts'
import { OURS, underpass, type Variant } from '../targets/underpass.ts'
import { load, PROXY_METRICS, proxyFigures } from './load.ts'
import { connectionLimit, each, type Scenario } from './scenario.ts'

const NONE = 'no strategy'
const ALL = 'every strategy'

/** Of the Service that the benchmark's requests go to. */
const POLICY = `---
apiVersion: underpass.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: bench, namespace: default }
spec:
  targetRef: { kind: Service, name: bench }
  loadBalancer: { algorithm: peakEwma }
  timeouts: { connect: 1s, request: 15s, perTry: 5s, responseHeaders: 5s, streamIdle: 5m }
  retries:
    attempts: 2
    on: [connect-failure, reset, refused-stream, per-try-timeout, gateway-error, 5xx, 429]
    methods: [GET, HEAD, PUT, DELETE]
    backoff: { base: 25ms, max: 250ms }
    budget: { percent: 20, minPerSecond: 10, window: 10s }
    hedge: { after: 2s }
  circuitBreaker:
    maxConnections: 10000
    maxPendingRequests: 10000
    maxRequests: 10000
    maxRetries: 100
    outlier: { consecutiveFailures: 5, minSuccessRate: 0.8, slowerThanPeers: 5, maxEjectedPercent: 50, slowStart: 10s }
  faults: { delay: { duration: 1s, percent: 0 }, abort: { status: 503, percent: 0 } }
  mirror: { service: bench, port: 80, percent: 0 }
  routes:
    - name: checkout
      matches: [{ path: { type: PathPrefix, value: /checkout }, method: POST }]
      retries: { attempts: 0 }
    - name: search
      matches: [{ path: { type: PathPrefix, value: /search }, headers: [{ name: x-env, value: test }] }]
      timeouts: { request: 3s }
`

const OUTBOUND: readonly [Variant, Variant] = [
  { policy: '', inbound: undefined },
  { policy: POLICY, inbound: undefined },
]
/** A closed loop at saturation is what an adaptive limit holds back: with a floor above it only its cost is seen. */
const INBOUND: readonly [Variant, Variant] = [
  { policy: '', inbound: '' },
  {
    policy: '',
    inbound: '\n  concurrency: { limit: 10000, pending: 1024, adaptive: gradient, min: 128 }',
  },
]

function strategies(
  name: string,
  title: string,
  [none, all]: readonly [Variant, Variant],
): Scenario {
  return {
    name,
    title: `${title} (autocannon, answers of 37 bytes)`,
    connections: 64,
    ours: ALL,
    compared: 'cpu',
    metrics: [
      { key: 'cpu', title: 'CPU µs/request', digits: 1 },
      { key: 'rate', title: 'requests/s', digits: 0 },
      { key: 'p50', title: 'p50 ms', digits: 2 },
      { key: 'p99', title: 'p99 ms', digits: 2 },
      ...PROXY_METRICS,
    ],
    limit: connectionLimit,
    contenders: (targets) => {
      if (!targets.some(({ name }) => name === OURS)) return []
      const peers = targets.filter((target) => target.name !== OURS && target.name !== direct.name)
      const own = [underpass('l7', NONE, 1, none), underpass('l7', ALL, 1, all)]
      return each(async (run) => {
        const measured = await load(run, 'http', 'autocannon')
        const { count = 0, seconds = Number.NaN, p50 = 0, p99 = 0 } = measured.figures
        if (count === 0) throw new Error('not a single request')
        const proxy = proxyFigures(measured, (micros) => micros / count)
        return { ...proxy, rate: count / seconds, p50, p99 }
      })([...own, ...peers])
    },
  }
}

/** What the ratio of the goal is to. */
export const WITHOUT: string = NONE

export const outboundStrategies: Scenario = strategies(
  'strategies',
  'Small requests with every resilience strategy configured and none',
  OUTBOUND,
)

export const inboundStrategies: Scenario = strategies(
  'strategies-inbound',
  'The same inbound: admission with an adaptive limit, and none',
  INBOUND,
)
