// What a second worker brings: requests a second of one and of two, under as much load as the machine can make.
//
// The workers have two cores, and clients and backend the rest. The direct connection shows what that rest can do:
// where it is not far above two workers, the load was the limit and the ratio says little.

import { direct } from '../targets/direct.ts'
import { OURS, underpass } from '../targets/underpass.ts'
import { load, PROXY_METRICS, proxyFigures } from './load.ts'
import { connectionLimit, each, type Scenario } from './scenario.ts'

const CORES = 2
const ONE = '1 worker'
const TWO = '2 workers'

/** Two for the workers, one for a client and one for the backend. */
export const WORKERS_NEED_CORES: number = CORES + 2

export const workers: Scenario = {
  name: 'workers',
  title: 'Small requests by one worker and by two (own closed-loop clients)',
  connections: 128,
  ours: TWO,
  compared: 'rate',
  metrics: [
    { key: 'rate', title: 'requests/s', digits: 0 },
    { key: 'cpu', title: 'CPU µs/request', digits: 1 },
    { key: 'p50', title: 'p50 ms', digits: 2 },
    { key: 'p99', title: 'p99 ms', digits: 2 },
    ...PROXY_METRICS,
  ],
  proxyCores: CORES,
  limit: connectionLimit,
  contenders: (targets) => {
    if (!targets.some(({ name }) => name === OURS)) return []
    const own = [underpass('l7', ONE, 1), underpass('l7', TWO, 2)]
    return each(async (run) => {
      // The backend has a core of the load's, and every client one of the others.
      const crowd = Math.max(1, (run.stage.means.cores?.length ?? 0) - CORES - 1)
      const measured = await load(run, 'http', 'http-requests', crowd)
      const { count = 0, seconds = Number.NaN, p50 = 0, p99 = 0 } = measured.figures
      const proxy = proxyFigures(measured, (micros) => micros / count)
      return { ...proxy, rate: count / seconds, p50, p99 }
    })([...targets.filter(({ name }) => name === direct.name), ...own])
  },
}
