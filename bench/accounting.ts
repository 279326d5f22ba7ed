// What a process tree cost: CPU time and resident memory, from the kernel's own books under /proc.
//
// CPU comes from schedstat, which counts nanoseconds for every thread, where the usual utime and stime come in
// ticks of 10 ms. A thread that ended between two readings would be missing from it, so then the ticks are used:
// they keep the time of threads that are gone. Only the split into user and system always rests on ticks.

import { readdirSync, readFileSync } from 'node:fs'

/** Linux tells user space of 100 ticks a second, whatever its own timer does. */
const TICK_NS = 10_000_000
const KIB = 1024

export interface Usage {
  /** Nanoseconds on a CPU, by thread. */
  readonly threads: ReadonlyMap<number, number>
  readonly userTicks: number
  readonly systemTicks: number
  /** Bytes resident now, and at most so far. */
  readonly resident: number
  readonly peak: number
}

export interface Cpu {
  readonly micros: number
  /** Share of the time that was spent outside the kernel, 0 to 1; NaN if no tick was counted. */
  readonly userShare: number
}

/** The processes that `root` started, directly or not, itself first. */
export function processTree(root: number, proc = '/proc'): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync(proc)) {
    if (!/^\d+$/.test(entry)) continue
    const stat = readMaybe(`${proc}/${entry}/stat`)
    if (stat !== undefined) parents.set(Number(entry), Number(statFields(stat)[1]))
  }
  const tree = [root]
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid) tree.push(child)
  }
  return tree
}

/** Everything that the tree below `root` has used until now. Throws if `root` is not there. */
export function usageOf(root: number, proc = '/proc'): Usage {
  const threads = new Map<number, number>()
  let [userTicks, systemTicks, resident, peak] = [0, 0, 0, 0]
  for (const pid of processTree(root, proc)) {
    const stat = statFields(readFileSync(`${proc}/${pid}/stat`, 'utf8'))
    const status = readFileSync(`${proc}/${pid}/status`, 'utf8')
    userTicks += Number(stat[11])
    systemTicks += Number(stat[12])
    resident += kilobytes(status, 'VmRSS') * KIB
    peak += kilobytes(status, 'VmHWM') * KIB
    for (const [thread, nanos] of threadTimes(`${proc}/${pid}/task`)) threads.set(thread, nanos)
  }
  return { threads, userTicks, systemTicks, resident, peak }
}

/** The CPU time between two readings of the same tree. */
export function cpuBetween(before: Usage, after: Usage): Cpu {
  const user = after.userTicks - before.userTicks
  const ticks = user + after.systemTicks - before.systemTicks
  const userShare = user / ticks
  if (!isComplete(before, after)) return { micros: (ticks * TICK_NS) / 1000, userShare }
  let nanos = 0
  for (const [thread, time] of after.threads) nanos += time - (before.threads.get(thread) ?? 0)
  return { micros: nanos / 1000, userShare }
}

function isComplete(before: Usage, after: Usage): boolean {
  return after.threads.size > 0 && [...before.threads.keys()].every((id) => after.threads.has(id))
}

function threadTimes(folder: string): [number, number][] {
  return readdirSync(folder).flatMap((thread): [number, number][] => {
    const line = readMaybe(`${folder}/${thread}/schedstat`)
    return line === undefined ? [] : [[Number(thread), Number(line.split(' ')[0])]]
  })
}

/** The fields of a stat line after the command's name, which may hold spaces and brackets: state first. */
function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function kilobytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
}

/** A process may end between the listing and the look at it. */
function readMaybe(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
