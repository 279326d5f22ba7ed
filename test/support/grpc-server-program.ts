// The program that grpc-server.ts starts in a pod: a gRPC server as an application would have it, NAME PORT FILE.
//
// Plain grpc-js. What it executed is written to FILE, one line a call with an id, before it answers, so that it is
// known after a SIGKILL too. Lines on standard input: `state` prints what it has counted, `drain` lets the calls under
// way finish, takes no others, and ends.

import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import {
  type Ending,
  type GrpcState,
  METHODS,
  messageOf,
  packed,
  type Series,
  type Stalled,
} from './grpc-calls.ts'

type Call = ServerUnaryCall<Buffer, Buffer>
type Answer = sendUnaryData<Buffer>

const [name = '', port = '', file = ''] = process.argv.slice(2)
const stalled: Record<string, Stalled> = {}
let calls = 0
let open = 0

const first = (metadata: Metadata, key: string): string => String(metadata.get(key)[0] ?? '')

function begin(): () => void {
  calls += 1
  open += 1
  let isOver = false
  return () => {
    if (isOver) return
    isOver = true
    open -= 1
  }
}

function who(call: Call, answer: Answer): void {
  const done = begin()
  const id = first(call.metadata, 'x-id')
  if (id !== '') appendFileSync(file, `${id}\n`)
  const send = (): void => {
    done()
    answer(null, Buffer.from(name))
  }
  const wait = Number(first(call.metadata, 'x-ms'))
  if (wait > 0) setTimeout(send, wait)
  else send()
}

function end(call: Call, answer: Answer): void {
  const done = begin()
  const { details, trailers, echo = false } = JSON.parse(String(call.request)) as Ending
  const { code } = JSON.parse(String(call.request)) as { code: status }
  const metadata = new Metadata()
  for (const [key, value] of Object.entries(trailers)) {
    metadata.set(key, key.endsWith('-bin') ? Buffer.from(value) : value)
  }
  if (echo) call.sendMetadata(call.metadata)
  done()
  if (code === status.OK) answer(null, Buffer.from(name), metadata)
  else answer({ code, details, metadata })
}

function stall(call: Call): void {
  const done = begin()
  const id = first(call.metadata, 'x-id')
  const deadline = call.getDeadline()
  const given = Number(deadline) - Date.now()
  stalled[id] = { given, cancelledAt: 0 }
  call.on('cancelled', () => {
    stalled[id] = { given, cancelledAt: Date.now() }
    done()
  })
}

function many(call: ServerWritableStream<Buffer, Buffer>): void {
  const done = begin()
  const { count, size } = JSON.parse(String(call.request)) as Series
  let at = 0
  const send = (): void => {
    while (at < count) {
      if (!call.write(messageOf(at++, size))) {
        call.once('drain', send)
        return
      }
    }
    done()
    call.end()
  }
  call.on('cancelled', done)
  send()
}

function collect(call: ServerReadableStream<Buffer, Buffer>, answer: Answer): void {
  const done = begin()
  const hash = createHash('sha256')
  let count = 0
  call.on('data', (message: Buffer) => {
    hash.update(message)
    count += 1
  })
  call.on('cancelled', done)
  call.on('end', () => {
    done()
    answer(null, packed({ count, sha256: hash.digest('hex') }))
  })
}

function chat(call: ServerDuplexStream<Buffer, Buffer>): void {
  const done = begin()
  const hello = new Metadata()
  hello.set('x-served-by', name)
  call.sendMetadata(hello)
  call.on('data', (message: Buffer) => {
    if (!call.write(message)) {
      call.pause()
      call.once('drain', () => call.resume())
    }
  })
  call.on('cancelled', done)
  call.on('end', () => {
    done()
    call.end()
  })
}

const server = new Server({
  'grpc.max_metadata_size': 65_536,
  'grpc.max_receive_message_length': -1,
})
server.addService(METHODS, { who, end, stall, many, collect, chat })

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'state') {
    process.stdout.write(`${JSON.stringify({ calls, stalled, open } satisfies GrpcState)}\n`)
  }
  if (line === 'drain') {
    server.tryShutdown(() => {
      process.exit(0)
    })
    process.stdout.write('"draining"\n')
  }
})

server.bindAsync(`[::]:${port}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error
  process.stdout.write('"listening"\n')
})
