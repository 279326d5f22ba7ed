// Waits for a condition instead of a time: looks again every few milliseconds, and fails loudly when it never comes.

import { setTimeout } from 'node:timers/promises'

type Looked<Value> = Value | undefined | false

/** Resolves with the first value of `look` that is not undefined or false. */
export async function until<Value>(
  what: string,
  look: () => Looked<Value> | Promise<Looked<Value>>,
  withinMs = 10_000,
): Promise<Value> {
  const end = performance.now() + withinMs
  while (performance.now() < end) {
    const value = await look()
    if (value !== undefined && value !== false) return value
    await setTimeout(5)
  }
  throw new Error(`waited ${withinMs} ms in vain for ${what}`)
}
