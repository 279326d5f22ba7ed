// CPU and memory of a process tree: from a made-up /proc, and of this very process.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { cpuBetween, processTree, type Usage, usageOf } from '../../bench/accounting.ts'

interface Made {
  readonly pid: number
  readonly parent: number
  readonly user: number
  readonly system: number
  readonly resident: number
  readonly threads: Readonly<Record<number, number>>
}

function makeProc(folder: string, processes: readonly Made[]): string {
  for (const { pid, parent, user, system, resident, threads } of processes) {
    const place = join(folder, String(pid))
    mkdirSync(join(place, 'task'), { recursive: true })
    const zeroes = '0 '.repeat(30)
    const head = `${pid} (odd) name) S ${parent} 1 1 0 0 0 0 0 0 0`
    writeFileSync(join(place, 'stat'), `${head} ${user} ${system} ${zeroes}\n`)
    const status = `Name:\todd\nVmHWM:\t  ${resident * 2} kB\nVmRSS:\t  ${resident} kB\n`
    writeFileSync(join(place, 'status'), status)
    for (const [thread, nanos] of Object.entries(threads)) {
      mkdirSync(join(place, 'task', thread))
      writeFileSync(join(place, 'task', thread, 'schedstat'), `${nanos} 5 7\n`)
    }
  }
  return folder
}

const usage = (
  threads: readonly [number, number][],
  userTicks: number,
  systemTicks = 0,
): Usage => ({
  threads: new Map(threads),
  userTicks,
  systemTicks,
  resident: 0,
  peak: 0,
})

t.test('accounting: a tree is a process and all that descend from it', async (t) => {
  const none = { user: 0, system: 0, resident: 0, threads: {} }
  const proc = makeProc(t.testdir({ version: 'not a process' }), [
    { pid: 10, parent: 1, ...none },
    { pid: 11, parent: 10, ...none },
    { pid: 9, parent: 11, ...none },
    { pid: 12, parent: 1, ...none },
  ])
  t.same(processTree(10, proc), [10, 11, 9])
})

t.test('accounting: a tree uses what its processes and their threads use', async (t) => {
  const proc = makeProc(t.testdir({}), [
    { pid: 10, parent: 1, user: 3, system: 4, resident: 100, threads: { 10: 5_000, 13: 7_000 } },
    { pid: 11, parent: 10, user: 1, system: 2, resident: 10, threads: { 11: 1_000 } },
  ])
  const found = usageOf(10, proc)
  t.same([...found.threads.values()], [5_000, 7_000, 1_000])
  t.equal(found.userTicks, 4)
  t.equal(found.systemTicks, 6)
  t.equal(found.resident, 110 * 1024)
  t.equal(found.peak, 220 * 1024)
})

t.test('accounting: a process that is not there is an error', async (t) => {
  t.throws(() => usageOf(10, t.testdir({})))
})

t.test('accounting: CPU is the nanoseconds of all threads, new ones included', async (t) => {
  const before = usage([[1, 1_000_000]], 10)
  const after = usage(
    [
      [1, 4_000_000],
      [2, 500_000],
    ],
    13,
    1,
  )
  t.same(cpuBetween(before, after), { micros: 3500, userShare: 0.75 })
})

t.test('accounting: when a thread has ended, ticks count', async (t) => {
  const before = usage(
    [
      [1, 1_000_000],
      [2, 9_000_000],
    ],
    10,
  )
  t.equal(cpuBetween(before, usage([[1, 2_000_000]], 13)).micros, 30_000)
  t.equal(
    cpuBetween(usage([], 10), usage([], 12)).micros,
    20_000,
    'also where there is no schedstat',
  )
})

t.test('accounting: what this process burns is what is counted', async (t) => {
  const own = process.cpuUsage()
  const before = usageOf(process.pid)
  let sum = 0
  while (process.cpuUsage(own).user < 200_000) for (let i = 0; i < 1e5; i++) sum += i
  const after = usageOf(process.pid)
  const spent = process.cpuUsage(own)
  t.ok(sum > 0)
  const { micros } = cpuBetween(before, after)
  const expected = spent.user + spent.system
  t.ok(Math.abs(micros - expected) < expected / 5, `${micros} µs counted, ${expected} µs spent`)
  const { rss } = process.memoryUsage()
  t.ok(Math.abs(after.resident - rss) < rss / 5, `${after.resident} bytes counted, ${rss} held`)
  t.ok(after.peak >= after.resident)
})
