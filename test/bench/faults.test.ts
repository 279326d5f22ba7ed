// That any error of a proxy fails the whole benchmark, shown with a stand-in that breaks in one way at a time.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Mode } from '../../bench/mode.ts'
import type { Report } from '../../bench/report.ts'
import { bench, fakeHaproxy } from './running.ts'

t.setTimeout(170_000)

const LOAD = ['--rounds', '1', '--seconds', '0.2', '--connections', '4', '--target', 'haproxy']

t.test(
  'bench: a proxy that forwards as it should passes, and an unmet goal fails the check',
  async (t) => {
    const folder = t.testdir({})
    const words = [...LOAD, '--mode', 'l4', '--scenario', 'small-raw', '--check', '--out', folder]
    const done = await bench(words, fakeHaproxy(folder, 'none'))
    t.equal(done.code, 1)
    t.ok(existsSync(join(folder, 'l4.json')), 'the results are written all the same')
    t.match(done.stdout, /not measured +not met/)
  },
)

t.test('bench: what a proxy without backpressure keeps for a stopped reader is seen', async (t) => {
  const folder = t.testdir({})
  const load = ['--rounds', '1', '--seconds', '0.5', '--connections', '2', '--target', 'haproxy']
  const words = [...load, '--scenario', 'stopped', '--out', folder]
  const done = await bench(words, fakeHaproxy(folder, 'none'))
  t.equal(done.code, 0, done.stderr)
  const report = JSON.parse(readFileSync(join(folder, 'l4.json'), 'utf8')) as Report
  const growth = report.sections[0]?.rows[0]?.metrics['growth']?.median ?? 0
  t.ok(growth > 5000, `${growth} kB a connection`)
})

t.test('bench: a stall is charged for every request that was due meanwhile', async (t) => {
  const folder = t.testdir({})
  const load = ['--rounds', '1', '--seconds', '2', '--connections', '8', '--target', 'haproxy']
  const words = [...load, '--scenario', 'latency', '--out', folder]
  const done = await bench(words, fakeHaproxy(folder, 'stall'))
  t.equal(done.code, 0, done.stderr)
  const report = JSON.parse(readFileSync(join(folder, 'l7.json'), 'utf8')) as Report
  const { p50, p90, opened } = report.sections[0]?.rows[0]?.metrics ?? {}
  // Three tenths of the requests wait for up to 0.3 s: a client that waited for answers would count eight of them.
  t.ok((p90?.median ?? 0) > 100, `p90 is ${p90?.median ?? Number.NaN} ms`)
  t.ok((p50?.median ?? 1000) < 100, `p50 is ${p50?.median ?? Number.NaN} ms`)
  t.ok((opened?.median ?? 0) > 100, `${opened?.median ?? Number.NaN} connections were needed`)
})

type Case = readonly [mode: Mode, scenario: string, fault: string, reason: RegExp]

const FAULTS: readonly Case[] = [
  ['l4', 'small', 'corrupt', /"mismatches":[1-9]/],
  ['l4', 'small', 'close', /"lost":[1-9]/],
  ['l4', 'small-raw', 'reset', /closed after|ECONNRESET/],
  ['l4', 'small-raw', 'corrupt', /wrong bytes/],
  ['l4', 'connections', 'short', /closed after/],
  ['l4', 'bulk', 'corrupt', /wrong bytes/],
  ['l4', 'idle', 'close', /closed/],
  ['l4', 'stopped', 'reset', /closed early|ECONNRESET/],
  ['l7', 'small', 'corrupt', /"mismatches":[1-9]/],
  ['l7', 'small-raw', 'short', /closed after|wrong bytes/],
  ['l7', 'small-raw', 'corrupt', /wrong bytes after 0 of a body/],
  ['l7', 'bulk', 'corrupt', /wrong bytes after \d+ of a body|not 200|wrong length/],
  ['l7', 'bulk', 'spoil', /an answer that is not 200: HTTP\/1\.1 400|ECONNRESET|EPIPE/],
  ['l7', 'latency', 'close', /closed/],
  ['h2', 'h2', 'corrupt', /wrong bytes|nobody asked|not 200|a frame of/],
  ['h2', 'h2', 'close', /closed with \d+ answers missing|ECONNRESET|EPIPE/],
  ['h2', 'h2', 'twice', /nobody asked|second head|without a head|was ended with/],
  ['h2', 'grpc-unary', 'reset', /UNAVAILABLE|INTERNAL|CANCELLED/],
  ['h2', 'grpc-stream', 'corrupt', /wrong bytes|UNAVAILABLE|INTERNAL|CANCELLED|UNKNOWN/],
  ['h2', 'streams', 'corrupt', /wrong bytes|nobody asked|not 200|a frame of/],
  ['h2', 'stopped-stream', 'reset', /closed with|ECONNRESET|EPIPE/],
  ['l7', 'latency', 'twice', /nobody asked for|wrong bytes after/],
]

for (const [mode, scenario, fault, reason] of FAULTS) {
  t.test(`bench: ${scenario} at ${mode} fails on a proxy with the fault "${fault}"`, async (t) => {
    const folder = t.testdir({})
    const words = [...LOAD, '--mode', mode, '--scenario', scenario, '--out', folder]
    const done = await bench(words, fakeHaproxy(folder, fault))
    t.equal(done.code, 1)
    t.match(done.stderr, `round 1 of 1, ${scenario}, haproxy:`)
    t.match(done.stderr, reason)
    t.notOk(existsSync(join(folder, `${mode}.json`)), 'no results of a failed run')
  })
}
