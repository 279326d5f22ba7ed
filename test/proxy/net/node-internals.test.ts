// What is needed of Node's own parts, and that a missing one is named and not run into.

import t from 'tap'
import { errnoName, loadInternals } from '../../../src/proxy/net/node-internals.ts'
import { chooseSockets } from '../../../src/proxy/net/sockets.ts'

type Parts = Record<string, unknown>

const METHODS = [
  ...['readStart', 'readStop', 'useUserBuffer', 'writeBuffer', 'shutdown', 'connect', 'connect6'],
  ...['bind', 'bind6', 'listen', 'getsockname', 'getpeername', 'setNoDelay', 'setKeepAlive'],
  ...['reset', 'close'],
]

/** Bindings that have everything, of which each test takes something away. */
function whole(): { tcp_wrap: Parts; stream_wrap: Parts } {
  function TCP(): void {
    // Only its prototype is looked at.
  }
  function Part(): void {
    // Only that it is a function.
  }
  for (const method of METHODS) Object.assign(TCP.prototype, { [method]: () => 0 })
  return {
    tcp_wrap: { TCP, TCPConnectWrap: Part, constants: { SOCKET: 0, SERVER: 1 } },
    stream_wrap: {
      WriteWrap: Part,
      ShutdownWrap: Part,
      streamBaseState: new Int32Array(5),
      kReadBytesOrError: 0,
      kLastWriteWasAsync: 3,
    },
  }
}

function load(parts: Readonly<Record<string, Parts>>): ReturnType<typeof loadInternals> {
  return loadInternals((name) => parts[name] ?? {})
}

t.test('internals: with every part there they are taken', async (t) => {
  t.type(load(whole()), 'object')
  t.type(loadInternals(), 'object', 'this Node.js has them')
})

t.test('internals: a part that is missing is named', async (t) => {
  for (const binding of ['tcp_wrap', 'stream_wrap'] as const) {
    for (const part of Object.keys(whole()[binding])) {
      const parts = whole()
      parts[binding][part] = undefined
      const reason = load(parts)
      t.match(reason, part)
    }
  }
  for (const part of ['SOCKET', 'SERVER']) {
    const parts = whole()
    parts.tcp_wrap['constants'] = { SOCKET: 0, SERVER: 1, [part]: undefined }
    t.match(load(parts), part)
  }
  for (const method of METHODS) {
    const parts = whole()
    const { TCP } = parts.tcp_wrap as unknown as { TCP: { prototype: Parts } }
    TCP.prototype[method] = undefined
    t.match(load(parts), method)
  }
})

t.test('internals: a runtime that keeps them to itself is a reason, not a crash', async (t) => {
  const refuse = (): never => {
    throw new Error('No such binding: tcp_wrap')
  }
  t.equal(loadInternals(refuse), 'No such binding: tcp_wrap')
})

t.test('sockets: without the internals they are streams, and it is said why', async (t) => {
  const { sockets, reason } = chooseSockets('auto', () => 'TCP has no useUserBuffer')
  t.equal(sockets.kind, 'streams')
  t.equal(reason, 'TCP has no useUserBuffer')
})

t.test('internals: an errno has its name', async (t) => {
  t.equal(errnoName(-104), 'ECONNRESET')
  t.equal(errnoName(-4095), 'EOF')
  t.equal(errnoName(0), 'UNKNOWN')
})
