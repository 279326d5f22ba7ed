// A remote hand inside a pod: a program under the applications' uid whose sockets a test opens, feeds and breaks.
//
// What each socket saw is kept in the order it happened. The other end of the pipe is agent-program.ts.

import { createInterface } from 'node:readline'
import type { Child } from '../../demo/pods/child.ts'
import { APP_UID, type Pod } from '../../demo/pods/network.ts'
import { until } from './until.ts'

export type AgentCommand =
  | { id: string; op: 'dial'; host: string; port: number; from?: string }
  | { id: string; op: 'listen'; port: number; greeting: string; end: boolean; paused: boolean }
  | { id: string; op: 'write'; text: string }
  | { id: string; op: 'end' | 'reset' | 'pause' | 'resume' | 'flood' | 'unlisten' }

export type AgentEvent =
  | { id: string; event: 'listening' | 'end' | 'close' }
  | { id: string; event: 'connect'; address: string }
  | { id: string; event: 'accepted'; socket: string; address: string }
  | { id: string; event: 'data'; text: string }
  | { id: string; event: 'error'; code: string }

/** A socket in the pod, and what the program saw of it. */
export class RemoteSocket {
  readonly id: string
  /** For an accepted one: who the program thinks it talks to. */
  readonly peer: string
  connected = false
  text = ''
  ended = false
  closed = false
  error = ''
  readonly #agent: Agent

  constructor(agent: Agent, id: string, peer = '') {
    this.#agent = agent
    this.id = id
    this.peer = peer
  }

  write(text: string): void {
    this.#agent.tell({ id: this.id, op: 'write', text })
  }

  do(op: 'end' | 'reset' | 'pause' | 'resume' | 'flood'): void {
    this.#agent.tell({ id: this.id, op })
  }

  async reads(text: string): Promise<void> {
    await this.until(`the text ${JSON.stringify(text)}`, () => this.text.includes(text))
  }

  /** The end of everything: the error's code, or empty for an end in order. */
  async over(within = 10_000): Promise<string> {
    await this.until('its close', () => this.closed, within)
    return this.error
  }

  async until(what: string, holds: () => boolean, within = 10_000): Promise<void> {
    await until(
      `${what} of socket ${this.id}`,
      () => {
        if (holds()) return true
        if (this.closed) throw new Error(`closed (${this.error}) before ${what}: ${this.text}`)
        return false
      },
      within,
    )
  }
}

export class RemoteListener {
  readonly id: string
  readonly accepted: RemoteSocket[] = []
  up = false
  error = ''
  readonly #agent: Agent

  constructor(agent: Agent, id: string) {
    this.#agent = agent
    this.id = id
  }

  /** The n-th connection that came, from 0. */
  async connection(index: number): Promise<RemoteSocket> {
    return await until(`connection ${index}`, () => this.accepted[index])
  }

  close(): void {
    this.#agent.tell({ id: this.id, op: 'unlisten' })
  }
}

export interface Listening {
  readonly greeting?: string
  /** Ends its direction right after the greeting. */
  readonly end?: boolean
  /** Reads nothing. */
  readonly paused?: boolean
}

export class Agent {
  readonly #child: Child
  readonly #sockets = new Map<string, RemoteSocket>()
  readonly #listeners = new Map<string, RemoteListener>()
  #next = 0

  constructor(pod: Pod) {
    this.#child = pod.start(APP_UID, ['node', 'build/test/support/agent-program.js'])
    const { stdout } = this.#child.process
    if (stdout === null) throw new Error('no output of the agent')
    createInterface({ input: stdout }).on('line', (line) => {
      this.#hear(JSON.parse(line) as AgentEvent)
    })
  }

  tell(command: AgentCommand): void {
    this.#child.process.stdin?.write(`${JSON.stringify(command)}\n`)
  }

  async listen(port: number, options: Listening = {}): Promise<RemoteListener> {
    const listener = new RemoteListener(this, `l${++this.#next}`)
    this.#listeners.set(listener.id, listener)
    const { greeting = '', end = false, paused = false } = options
    this.tell({ id: listener.id, op: 'listen', port, greeting, end, paused })
    await until(`listening on ${port}: ${this.#child.describe()}`, () => listener.up)
    return listener
  }

  /** A connection that is being made; `from` is the local address. */
  dial(host: string, port: number, from?: string): RemoteSocket {
    const socket = new RemoteSocket(this, `d${++this.#next}`)
    this.#sockets.set(socket.id, socket)
    const local = from === undefined ? {} : { from }
    this.tell({ id: socket.id, op: 'dial', host, port, ...local })
    return socket
  }

  async connect(host: string, port: number, from?: string): Promise<RemoteSocket> {
    const socket = this.dial(host, port, from)
    await socket.until('its connect', () => socket.connected)
    return socket
  }

  /** Everything that the other side says until it ends, or the error's code. */
  async ask(host: string, port: number, from?: string): Promise<string> {
    const socket = this.dial(host, port, from)
    await until('an answer', () => socket.ended || socket.closed)
    socket.do('end')
    const error = await socket.over()
    return error === '' ? socket.text : error
  }

  /** The same, `times` times, eight at once: how often each answer came. */
  async tally(times: number, host: string, port: number): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (let left = times; left > 0; left -= 8) {
      const round = Array.from({ length: Math.min(8, left) }, () => this.ask(host, port))
      for (const answer of await Promise.all(round)) counts[answer] = (counts[answer] ?? 0) + 1
    }
    return counts
  }

  #hear(event: AgentEvent): void {
    const listener = this.#listeners.get(event.id)
    if (listener !== undefined) {
      if (event.event === 'listening') listener.up = true
      else if (event.event === 'error') listener.error = event.code
      else if (event.event === 'accepted') {
        const socket = new RemoteSocket(this, event.socket, event.address)
        socket.connected = true
        this.#sockets.set(event.socket, socket)
        listener.accepted.push(socket)
      }
      return
    }
    const socket = this.#sockets.get(event.id)
    if (socket === undefined) return
    if (event.event === 'connect') socket.connected = true
    else if (event.event === 'data') socket.text += event.text
    else if (event.event === 'end') socket.ended = true
    else if (event.event === 'error') socket.error = event.code
    else if (event.event === 'close') socket.closed = true
  }
}

/** Both ends of one new connection from `near` to a listener, which nobody else may be using. */
export async function pair(
  near: Agent,
  listener: RemoteListener,
  host: string,
  port: number,
): Promise<[near: RemoteSocket, far: RemoteSocket]> {
  const next = listener.accepted.length
  const socket = await near.connect(host, port)
  return [socket, await listener.connection(next)]
}
