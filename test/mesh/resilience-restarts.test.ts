// Every application and every sidecar of a Service restarted in turn under a load that does not wait, as Kubernetes does
// it: not ready, told to end, started, ready. And applications and whole pods that are killed. No GET fails, and no
// POST is executed twice.

import t, { type Test } from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { type LoadReport, lineOf } from '../support/open-load.ts'
import { Trio } from '../support/trio.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/resilience-restarts'

const RATE = 200
const POST_EVERY = 4
const CAPACITY = { serviceMs: 10, concurrency: 16 }
/** Milliseconds that a sidecar which is told to end waits for what is under way. */
const GRACE = 6000
const RETRIES = { attempts: 2, on: ['connect-failure', 'reset', 'refused-stream'] }

t.test('resilience: restarts', { skip }, async (t) => {
  const trio = await Trio.open(t, CAPACITY, { drain: { grace: `${GRACE}ms` } })
  const url = await trio.service('rolling', { retries: RETRIES })
  const beside = trio.pods.map(({ sidecar }) => sidecar)

  /** A load before, while and after something happens. */
  const during = async (happens: (goesOn: () => Promise<void>) => Promise<void>) => {
    const load = await trio.load({ url, rate: RATE, postEvery: POST_EVERY })
    await load.goesOn(1)
    await happens(async () => {
      await load.goesOn(1)
    })
    await load.goesOn(1)
    return await load.stop()
  }
  const judge = (t: Test, what: string, report: LoadReport, mostFailed: number): void => {
    const { posted, served } = report.loaded
    t.comment(`${what}: ${lineOf(report.all)}; ${posted.length} POSTs`, served)
    const gets = report.failures.filter(({ method }) => method === 'GET')
    t.same(gets.slice(0, 5), [], 'no GET failed')
    const posts = report.failures.filter(({ method }) => method === 'POST')
    const some = JSON.stringify(posts.slice(0, 5))
    t.ok(posts.length <= mostFailed, `${posts.length} POSTs failed: ${some}`)
    const counts = new Map<string, number>()
    for (const key of trio.apps.flatMap(({ executed }) => executed)) {
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    const twice = [...counts].filter(([, times]) => times > 1)
    t.same(twice.slice(0, 5), [], 'no POST was executed twice')
    const lost = posted.filter((key) => !counts.has(key))
    t.same(lost, [], 'what was answered was executed')
  }

  await t.test('resilience: every application in turn', async (t) => {
    const report = await during(async (goesOn) => {
      for (const [at, pod] of trio.pods.entries()) {
        await trio.announce((each) => each !== pod)
        await trio.apps[at]?.stop()
        await trio.restart(at)
        await trio.announce()
        await goesOn()
      }
    })
    judge(t, 'applications', report, 0)
    t.same(Object.keys(report.loaded.served).sort(), ['one', 'three', 'two'])
  })

  await t.test('resilience: every sidecar in turn', async (t) => {
    const report = await during(async (goesOn) => {
      for (const [at, pod] of trio.pods.entries()) {
        await trio.announce((each) => each !== pod)
        beside[at]?.child.process.kill('SIGTERM')
        const from = performance.now()
        const exit = await beside[at]?.child.exited
        t.equal(exit?.code, 0, `${pod.pod.name} ends in order`)
        const took = performance.now() - from
        t.ok(took < GRACE / 2, `${took.toFixed(0)} ms after it was told: nothing was under way`)
        beside[at] = await trio.mesh.sidecar(pod.pod)
        await trio.announce()
        await goesOn()
      }
    })
    judge(t, 'sidecars', report, 0)
    const handed = await beside[0]?.metric('underpass_http_requests_total', { status: '200' })
    t.ok((handed ?? 0) > 0, 'the new ones carry requests')
  })

  await t.test('resilience: an application that is told to end while it is ready', async (t) => {
    const report = await during(async (goesOn) => {
      await trio.apps[1]?.stop()
      await goesOn()
      await trio.restart(1)
    })
    judge(t, 'unannounced', report, RATE * 0.05)
  })

  await t.test('resilience: an application killed', async (t) => {
    const report = await during(async (goesOn) => {
      await trio.apps[0]?.kill()
      await goesOn()
      await trio.restart(0)
    })
    // At most what was under way there: a third of the load for as long as a request takes.
    judge(t, 'application killed', report, 16)
  })

  await t.test('resilience: a whole pod killed', async (t) => {
    const report = await during(async (goesOn) => {
      beside[2]?.child.process.kill('SIGKILL')
      await trio.apps[2]?.kill()
      await goesOn()
      await trio.restart(2)
      const pod = trio.pods[2]
      if (pod !== undefined) beside[2] = await trio.mesh.sidecar(pod.pod)
    })
    judge(t, 'pod killed', report, 16)
  })
})
