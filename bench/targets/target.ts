// A proxy that can be measured: whether it is here, which version, and how it is started in front of a backend.

import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Child } from '../../demo/pods/child.ts'
import type { Wires } from '../mode.ts'
import type { Stage } from '../stage.ts'

export interface Running {
  /** Where clients connect, on 127.0.0.1. */
  readonly port: number
  /** The root of the proxy's process tree; undefined where there is no proxy. */
  readonly pid: number | undefined
}

export interface Target {
  readonly name: string
  /** Why it cannot be measured here; undefined if it can. */
  missing(): string | undefined
  version(): string
  /** Whether it can speak so; all can where this is missing. */
  carries?(wires: Wires): boolean
  /** Starts it in front of 127.0.0.1:`backend` and waits until it serves; it speaks HTTP/1.1 unless told otherwise. */
  start(stage: Stage, backend: number, wires?: Wires): Promise<Running>
}

export const HTTP2: Wires = { client: 'http2', server: 'http2' }

/** Those of the targets that can speak so, made to do it. */
export function speaking(targets: readonly Target[], wires: Wires): Target[] {
  return targets
    .filter((target) => target.carries?.(wires) ?? true)
    .map((target) => ({
      ...target,
      start: async (stage, backend) => await target.start(stage, backend, wires),
    }))
}

const READY_MS = 15_000
const POLL_MS = 20

/** Polls `look` until it is true; fails with what the process said if it ends or the time is over. */
export async function ready(child: Child, look: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + READY_MS
  while (!(await look())) {
    if (child.exit !== undefined || performance.now() > limit) {
      throw new Error(`not ready: ${child.describe()}`)
    }
    await sleep(POLL_MS)
  }
}

/** True if something accepts connections on the port. */
export async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

/** The path of a program; the folders of system programs count even where PATH lacks them. */
export function findProgram(name: string): string | undefined {
  return `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`
    .split(':')
    .filter((folder) => folder !== '')
    .map((folder) => `${folder}/${name}`)
    .find((file) => existsSync(file))
}
