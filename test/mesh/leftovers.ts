// Finds every process of a world from outside of it, by a word on its command line or in its environment.

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export type Where = 'cmdline' | 'environ'

const LIMIT = 5000
let tokens = 0

/** A word that no other process has. */
export function newToken(): string {
  return `leftover-${process.pid}-${++tokens}-`
}

/** Process ids of everything that carries the token, oldest first. */
export function carriers(token: string, where: Where): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && textOf(pid, where).includes(token))
    .sort((a, b) => a - b)
}

/** Empty for a process that has ended, waited for or not. */
export function textOf(pid: number, where: Where): string {
  try {
    return readFileSync(`/proc/${pid}/${where}`, 'utf8')
  } catch {
    return ''
  }
}

/** What is still there after a few seconds. */
export async function untilGone(token: string, where: Where): Promise<number[]> {
  const end = performance.now() + LIMIT
  while (carriers(token, where).length > 0 && performance.now() < end) await sleep(20)
  return carriers(token, where)
}

export function killAll(token: string, where: Where): void {
  for (const pid of carriers(token, where)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended with one that was killed before it.
    }
  }
}
