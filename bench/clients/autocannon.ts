// autocannon, told to fail on what it would forgive: it opens a connection that was closed under it again without
// a word, and what gives that away is a request without an answer.

import autocannon from 'autocannon'
import { ANSWER_BODY } from '../protocol.ts'
import { client, type Figures, type Orders } from './client.ts'
import { Latency } from './latency.ts'

const SAMPLE_MS = 50

async function phase(orders: Orders, seconds: number): Promise<Figures> {
  // autocannon's own latencies are whole milliseconds.
  const latency = new Latency()
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const run = autocannon(
      {
        url: `http://127.0.0.1:${orders.port}/`,
        connections: orders.connections,
        duration: seconds,
        sampleInt: SAMPLE_MS,
        expectBody: ANSWER_BODY,
      },
      (error: Error | null, result) => {
        if (error === null) resolve(result)
        else reject(error)
      },
    )
    run.on('response', (_client, _status, _bytes, millis) => {
      latency.record(millis)
    })
  })
  const { errors, timeouts, non2xx, mismatches, resets } = result
  const lost = Math.max(0, result.requests.sent - result.requests.total - orders.connections)
  const faults = { errors, timeouts, non2xx, mismatches, resets, lost }
  if (Object.values(faults).some((count) => count > 0) || result.requests.total === 0) {
    throw new Error(`autocannon: ${JSON.stringify({ total: result.requests.total, ...faults })}`)
  }
  return { count: result.requests.total, seconds: result.duration, ...latency.figures() }
}

await client(async (orders, mark) => {
  await phase(orders, orders.warmup)
  await mark('warm')
  return await phase(orders, orders.seconds)
})
