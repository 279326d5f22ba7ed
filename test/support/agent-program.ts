// The program that agent.ts starts in a pod: opens, feeds, ends and breaks TCP connections as it is told.
//
// One JSON object a line: commands on standard input, what happens on standard output. Sockets allow half-open
// connections and hide nothing, so that a test sees what an application would see. Ends with its standard input.

import { connect, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { AgentCommand, AgentEvent } from './agent.ts'

const CHUNK = Buffer.alloc(65_536, 'underpass ')

const sockets = new Map<string, Socket>()
const servers = new Map<string, Server>()
let accepted = 0

createInterface({ input: process.stdin }).on('line', (line) => {
  obey(JSON.parse(line) as AgentCommand)
})
process.stdin.once('end', () => process.exit(0))

function say(event: AgentEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

function obey(command: AgentCommand): void {
  const { id } = command
  if (command.op === 'dial') dial(id, command.host, command.port, command.from)
  else if (command.op === 'listen') listen(command)
  else if (command.op === 'unlisten') servers.get(id)?.close()
  else act(command, sockets.get(id))
}

function act(command: AgentCommand, socket: Socket | undefined): void {
  if (command.op === 'write') socket?.write(command.text)
  else if (command.op === 'end') socket?.end()
  else if (command.op === 'reset') socket?.resetAndDestroy()
  else if (command.op === 'pause') socket?.pause()
  else if (command.op === 'resume') socket?.resume()
  else if (command.op === 'flood' && socket !== undefined) flood(socket)
}

function dial(id: string, host: string, port: number, from: string | undefined): void {
  const local = from === undefined ? {} : { localAddress: from }
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, ...local })
  socket.once('connect', () => {
    say({ id, event: 'connect', address: `${socket.localAddress ?? ''}|${socket.localPort}` })
  })
  follow(id, socket)
}

function listen(command: AgentCommand & { op: 'listen' }): void {
  const { id, port, greeting, end, paused } = command
  const options = { allowHalfOpen: true, pauseOnConnect: paused, noDelay: true }
  const server = createServer(options, (socket) => {
    const own = `a${++accepted}`
    say({ id, event: 'accepted', socket: own, address: socket.remoteAddress ?? '' })
    follow(own, socket, paused)
    if (greeting !== '') socket.write(greeting)
    if (end) socket.end()
  })
  servers.set(id, server)
  server.on('error', (error) => {
    say({ id, event: 'error', code: error.message })
  })
  server.listen({ port, host: '::', backlog: 4096 }, () => {
    say({ id, event: 'listening' })
  })
}

function follow(id: string, socket: Socket, paused = false): void {
  sockets.set(id, socket)
  // A listener for data would set a paused socket flowing.
  if (!paused) {
    socket.on('data', (chunk) => {
      say({ id, event: 'data', text: chunk.toString('latin1') })
    })
  }
  socket.on('end', () => {
    say({ id, event: 'end' })
  })
  socket.on('error', (error) => {
    say({ id, event: 'error', code: 'code' in error ? String(error.code) : error.message })
  })
  socket.on('close', () => {
    sockets.delete(id)
    say({ id, event: 'close' })
  })
}

/** Writes as fast as the other side reads, and says how much it has written each time it has to wait. */
function flood(socket: Socket): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(CHUNK));
  }
  socket.on('drain', more)
  more()
}
