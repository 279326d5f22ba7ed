// The program that grpc-load.ts starts in a pod: unary calls on one channel, TARGET AT_ONCE, that go on until a line
// comes on standard input; then it prints what it saw.
//
// Each call has an id of its own. It ends by itself after a minute.

import { setTimeout as sleep } from 'node:timers/promises'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { METHODS, packed, same } from './grpc-calls.ts'

const [target = '', atOnce = ''] = process.argv.slice(2)
/** Between the calls of each of those that are under way at once, in milliseconds. */
const PAUSE = 4
/** That the server takes for a call. */
const WORK = 3
const PATIENCE = 10_000
const LONGEST = 60_000

export interface FailedCall {
  readonly id: string
  readonly code: number
  readonly details: string
}

export interface GrpcLoaded {
  /** Calls that were answered, by who did. */
  readonly served: Readonly<Record<string, number>>
  /** Their ids. */
  readonly answered: readonly string[]
  readonly failures: readonly FailedCall[]
}

const served: Record<string, number> = {}
const answered: string[] = []
const failures: FailedCall[] = []
let isOver = false

// What fails is for the mesh to try again.
const options = { 'grpc.enable_retries': 0, 'grpc.enable_http_proxy': 0 }
const client = new Client(target, credentials.createInsecure(), options)

async function call(id: string): Promise<void> {
  const metadata = new Metadata()
  metadata.set('x-id', id)
  metadata.set('x-ms', `${WORK}`)
  await new Promise<void>((resolve) => {
    const take = (error: ServiceError | null, answer?: Buffer): void => {
      if (error !== null) {
        failures.push({ id, code: error.code, details: error.details })
      } else {
        const by = String(answer)
        served[by] = (served[by] ?? 0) + 1
        answered.push(id)
      }
      resolve()
    }
    const deadline = { deadline: Date.now() + PATIENCE }
    const { path } = METHODS.who
    client.makeUnaryRequest(path, same, same, packed('hello'), metadata, deadline, take)
  })
}

async function load(one: number): Promise<void> {
  for (let round = 0; !isOver; round += 1) {
    await call(`${process.pid}-${one}-${round}`)
    await sleep(PAUSE)
  }
}

const end = (): void => {
  isOver = true
}
process.stdin.once('data', end).once('end', end)
setTimeout(end, LONGEST).unref()
process.stdout.write('"started"\n')
await Promise.all(Array.from({ length: Number(atOnce) }, (_, one) => load(one)))
process.stdout.write(`${JSON.stringify({ served, answered, failures } satisfies GrpcLoaded)}\n`)
process.exit(0)
