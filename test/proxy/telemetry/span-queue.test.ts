import t, { type Test } from 'tap'
import { Observation } from '../../../src/proxy/stack/observation.ts'
import { OtlpExporter } from '../../../src/proxy/telemetry/otlp-exporter.ts'
import { Span } from '../../../src/proxy/telemetry/span.ts'
import { type DropReason, SpanQueue } from '../../../src/proxy/telemetry/span-queue.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'
import { openCollector } from './collector.ts'
import { answered, exchangeOf } from './exchanges.ts'

function span(): Span {
  const exchange = answered(exchangeOf(), 200)
  const observation = new Observation(exchange.request)
  observation.traceId = 'a'.repeat(32)
  observation.spanId = 'b'.repeat(16)
  observation.startedAt = 1_700_000_000_000
  return new Span(exchange, observation, 1)
}

/** An exporter whose batches a test ends. */
class FakeExporter {
  readonly batches: number[] = []
  #end: ((error: Error | undefined) => void) | undefined

  async export(spans: readonly Span[]): Promise<void> {
    this.batches.push(spans.length)
    const error = await new Promise<Error | undefined>((resolve) => {
      this.#end = resolve
    })
    if (error !== undefined) throw error
  }

  /** Resolves when the queue has heard of it. */
  async end(error?: Error): Promise<void> {
    this.#end?.(error)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

interface Open {
  readonly queue: SpanQueue
  readonly exporter: FakeExporter
  readonly clock: FakeClock
  readonly lines: Record<string, unknown>[]
  readonly add: (count: number) => void
}

function open(t: Test): Open {
  const [exporter, clock] = [new FakeExporter(), new FakeClock()]
  const { log, lines } = logLines()
  const queue = new SpanQueue(exporter, clock, log)
  t.teardown(() => {
    void queue.stop(0)
    clock.advance(0)
  })
  const add = (count: number): void => {
    for (let i = 0; i < count; i += 1) queue.add(span())
  }
  return { queue, exporter, clock, lines, add }
}

function dropped({ queue }: Open): [DropReason, number][] {
  return [...queue.dropped].filter(([, count]) => count > 0)
}

t.test('span queue: a few leave after a second, a batch at once', async (t) => {
  const opened = open(t)
  const { exporter, clock, add, queue } = opened
  add(63)
  t.same(exporter.batches, [])
  clock.advance(999)
  t.same(exporter.batches, [])
  clock.advance(1)
  t.same(exporter.batches, [63])
  t.equal(queue.exported, 0, 'not before the collector has said so')
  await exporter.end()
  t.equal(queue.exported, 63)
  add(64)
  t.same(exporter.batches, [63, 64])
  await exporter.end()
  t.equal(queue.exported, 127)
  t.same(dropped(opened), [])
})

t.test('span queue: one batch at a time, and the next while they are full', async (t) => {
  const { exporter, clock, add, queue } = open(t)
  add(150)
  clock.advance(5000)
  t.same(exporter.batches, [64])
  await exporter.end()
  t.same(exporter.batches, [64, 64])
  await exporter.end()
  t.same(exporter.batches, [64, 64], 'the rest waits for its second')
  clock.advance(1000)
  t.same(exporter.batches, [64, 64, 22])
  await exporter.end()
  t.equal(queue.exported, 150)
})

t.test('span queue: it is bounded, whatever the collector does', async (t) => {
  const opened = open(t)
  const { exporter, clock, add } = opened
  add(64)
  add(2048)
  t.same(dropped(opened), [])
  add(1000)
  t.same(dropped(opened), [['queue-full', 1000]])
  clock.advance(60_000)
  t.same(exporter.batches, [64])
  await exporter.end()
  add(1)
  t.same(dropped(opened), [['queue-full', 1000]], 'there is room again')
})

t.test('span queue: a batch that failed is lost, and said once a minute', async (t) => {
  const opened = open(t)
  const { exporter, clock, add, lines, queue } = opened
  for (let turn = 0; turn < 59; turn += 1) {
    add(1)
    clock.advance(1000)
    await exporter.end(new Error('connect refused'))
  }
  t.same(dropped(opened), [['export-failed', 59]])
  t.same(
    lines.map(({ level, event, reason, dropped }) => [level, event, reason, dropped]),
    [['warn', 'trace-export-failed', 'connect refused', 1]],
  )
  add(1)
  clock.advance(2000)
  await exporter.end(new Error('again'))
  t.equal(lines.length, 2)
  t.equal(queue.exported, 0)
})

t.test('span queue: a collector that fails is not asked faster than others', async (t) => {
  const { exporter, clock, add } = open(t)
  add(1000)
  t.equal(exporter.batches.length, 1)
  await exporter.end(new Error('no'))
  t.equal(exporter.batches.length, 1)
  clock.advance(1000)
  t.equal(exporter.batches.length, 2)
})

t.test('span queue: stopping hands over what waits', async (t) => {
  const opened = open(t)
  const { exporter, add, queue } = opened
  add(100)
  const stopped = queue.stop(2000)
  await exporter.end()
  t.same(exporter.batches, [64, 36])
  await exporter.end()
  await stopped
  t.equal(queue.exported, 100)
  add(1)
  t.same(dropped(opened), [['stopped', 1]], 'nothing is taken after that')
  t.equal(opened.clock.timers, 0)
  await queue.stop(2000)
})

t.test('span queue: stopping does not wait for a dead collector', async (t) => {
  const opened = open(t)
  const { clock, add, queue } = opened
  add(100)
  const stopped = queue.stop(2000)
  clock.advance(2000)
  await stopped
  t.same(dropped(opened), [['stopped', 36]])
  t.equal(clock.timers, 0)
})

t.test('span queue: a collector that refuses, and one that is not there', async (t) => {
  const collector = await openCollector(t)
  collector.status = 400
  const { log, lines } = logLines()
  const clock = new FakeClock()
  const refused = new SpanQueue(new OtlpExporter(collector.url, 'web'), clock, log)
  refused.add(span())
  await refused.stop(60_000)
  t.equal(refused.dropped.get('export-failed'), 1)
  t.match(lines, [{ event: 'trace-export-failed', reason: /^400/ }])

  const gone = new SpanQueue(
    new OtlpExporter('http://127.0.0.1:9/v1/traces', 'web', 500),
    clock,
    log,
  )
  for (let i = 0; i < 5000; i += 1) gone.add(span())
  t.ok((gone.dropped.get('queue-full') ?? 0) >= 5000 - 2048 - 64)
  const stopped = gone.stop(1)
  clock.advance(1)
  await stopped
  await until('the last word of the library', () => (gone.dropped.get('export-failed') ?? 0) > 0)
  const all = [...gone.dropped.values()].reduce((sum, count) => sum + count, 0)
  t.equal(all + gone.exported, 5000, 'each is counted once')
})
