// The program of one worker of `underpass proxy`: started by the supervisor with the worker's number, never by hand.
//
// Signals are the supervisor's: a terminal's Ctrl-C reaches the whole group, and the end must be in its hands alone.

import { systemClock } from '../lib/clock.ts'
import { type Log, openLog } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import type { TcpHandle } from '../proxy/net/node-internals.ts'
import { Sidecar } from '../proxy/sidecar.ts'
import type { ToWorker } from '../proxy/workers/messages.ts'
import { type DataPlane, Worker } from '../proxy/workers/worker.ts'
import { crash, end } from './ending.ts'

const number = Number(process.argv[2])
let log: Log | undefined
let plane: DataPlane | undefined

const worker = new Worker({
  send: (message, sent) => {
    if (process.connected) process.send?.(message, undefined, {}, () => sent?.())
    else sent?.()
  },
  build: (settings, bind) => {
    const opened = openLog(settings.logLevel, { worker: number })
    log = opened
    plane = new Sidecar(settings, systemClock, systemRandom, opened, () => undefined, bind)
    return plane
  },
  end: finish,
  crash: fail,
})

process.on('SIGTERM', () => undefined)
process.on('SIGINT', () => undefined)
process.on('uncaughtException', fail)
process.on('message', (message, handle) => {
  worker.receive(message as ToWorker, handle as unknown as TcpHandle | undefined)
})
process.on('disconnect', () => {
  worker.disconnected()
})
// It was gone before anybody listened for that, or never there.
if (!process.connected) process.exit(1)

function finish(status: number): void {
  if (log === undefined) process.exit(status)
  end(log, status)
}

function fail(error: unknown): void {
  crash(log ?? openLog('error', { worker: number }), plane, error)
}
