// What the fault proxy does to a connection, and that it does it to those that are open and to those that come.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { type Fault, FaultProxy } from './fault-proxy.ts'
import { type BackendConnection, RawBackend, RawClient } from './http-peer.ts'
import { until } from './until.ts'

interface Way {
  readonly proxy: FaultProxy
  readonly backend: RawBackend
  readonly client: RawClient
  /** The backend's end of that client's connection. */
  readonly server: () => Promise<BackendConnection>
}

async function way(t: Test, fault: Fault = { kind: 'none' }): Promise<Way> {
  const backend = await RawBackend.listen(() => undefined, { halfOpen: true })
  const target = { host: '127.0.0.1', port: backend.port }
  const proxy = await FaultProxy.listen({ host: '127.0.0.1', port: 0 }, target)
  proxy.fault = fault
  const client = await RawClient.connect(proxy.port)
  t.teardown(async () => {
    client.socket.destroy()
    await proxy.close()
    await backend.close()
  })
  return { proxy, backend, client, server: async () => await backend.connection(0) }
}

/** Resolves when what was sent to it has long been dealt with: a round trip through a proxy without faults. */
async function settled(t: Test): Promise<void> {
  const { client, server } = await way(t)
  client.write('x')
  await (await server()).until((text) => text === 'x')
}

t.test('fault proxy: without a fault all bytes and both ends pass', async (t) => {
  const { proxy, client, server } = await way(t)
  const text = 'abc'.repeat(100_000)
  client.write(text)
  client.end()
  const there = await server()
  await until('all of it', () => there.text.length === text.length && there.ended)
  t.equal(there.text, text)
  there.write(text)
  there.end()
  t.equal(await client.until((all) => all.length === text.length), text)
  t.equal(await client.over(), '')
  await until('it is closed', () => proxy.size === 0)
})

t.test('fault proxy: a reset passes either way', async (t) => {
  const first = await way(t)
  first.client.write('a')
  await (await first.server()).until((text) => text === 'a')
  first.client.reset()
  t.equal(await (await first.server()).over(), 'ECONNRESET')
  const second = await way(t)
  second.client.write('a')
  const there = await second.server()
  await there.until((text) => text === 'a')
  there.reset()
  t.equal(await second.client.over(), 'ECONNRESET')
})

t.test('fault proxy: a server that is not there resets', async (t) => {
  const { proxy, backend } = await way(t)
  await backend.close()
  const client = await RawClient.connect(proxy.port)
  t.equal(await client.over(), 'ECONNRESET')
})

t.test(
  'fault proxy: a delay holds each chunk, and its end comes at once when switched off',
  async (t) => {
    const { proxy, client, server } = await way(t, { kind: 'delay', ms: 20 })
    const begun = performance.now()
    client.write('abc')
    const there = await server()
    await there.until((text) => text === 'abc')
    t.ok(performance.now() - begun >= 19, 'the request')
    proxy.fault = { kind: 'delay', ms: 600_000 }
    there.write('late')
    there.end()
    await settled(t)
    t.equal(client.text, '')
    proxy.fault = { kind: 'none' }
    await client.until((text) => text === 'late')
    t.equal(await client.over(), '')
  },
)

t.test('fault proxy: a stall dials nobody, reads nothing, and goes on where it was', async (t) => {
  const { proxy, backend, client, server } = await way(t, { kind: 'stall' })
  client.write('x'.repeat(8_000_000))
  await settled(t)
  t.equal(backend.connections.length, 0)
  t.ok(client.socket.writableLength > 0, 'the client is not read')
  proxy.fault = { kind: 'none' }
  const there = await server()
  await until('all of it', () => there.text.length === 8_000_000)
  proxy.fault = { kind: 'stall' }
  there.write('answer')
  await settled(t)
  t.equal(client.text, '')
  proxy.fault = { kind: 'none' }
  await client.until((text) => text === 'answer')
})

t.test('fault proxy: a black hole takes everything after so many bytes', async (t) => {
  const { proxy, client, server } = await way(t, { kind: 'black-hole', after: 5 })
  client.write('ask')
  const there = await server()
  await there.until((text) => text === 'ask')
  there.write('abcdefgh')
  await client.until((text) => text === 'abcde')
  client.write('x'.repeat(1_000_000))
  there.write('more')
  there.end()
  await until('the client is read', () => client.socket.writableLength === 0)
  await settled(t)
  t.same([client.text, client.ended, there.text.length], ['abcde', false, 3])
  t.equal(proxy.size, 1)
})

t.test('fault proxy: a black hole from the beginning', async (t) => {
  const { proxy, backend, client, server } = await way(t, { kind: 'black-hole', after: 0 })
  client.write('x'.repeat(1_000_000))
  await until('the client is read', () => client.socket.writableLength === 0)
  t.equal(backend.connections.length, 0)
  proxy.fault = { kind: 'none' }
  client.write('y')
  await (await server()).until((text) => text.endsWith('y'))
  proxy.fault = { kind: 'black-hole', after: 0 }
  client.write('swallowed')
  await settled(t)
  proxy.fault = { kind: 'none' }
  client.write('z')
  t.match(await (await server()).until((text) => text.endsWith('z')), /^x*yz$/)
})

t.test('fault proxy: a reset at once, of what is open and what comes', async (t) => {
  const { proxy, client, server } = await way(t)
  client.write('a')
  const there = await server()
  await there.until((text) => text === 'a')
  proxy.fault = { kind: 'reset', after: 0 }
  t.equal(await client.over(), 'ECONNRESET')
  t.equal(await there.over(), 'ECONNRESET')
  // It may come while the client still takes note that it is connected.
  const next = RawClient.connect(proxy.port).then(
    async (client) => await client.over(),
    (error: unknown) => (error as NodeJS.ErrnoException).code,
  )
  t.equal(await next, 'ECONNRESET')
  await until('none is open', () => proxy.size === 0)
})

t.test('fault proxy: a reset after so many bytes', async (t) => {
  const { client, server } = await way(t, { kind: 'reset', after: 6 })
  client.write('ask')
  const there = await server()
  await there.until((text) => text === 'ask')
  there.write('abcd')
  await client.until((text) => text === 'abcd')
  there.write('efgh')
  t.equal(await client.over(), 'ECONNRESET')
  t.equal(client.text, 'abcdef')
  t.equal(await there.over(), 'ECONNRESET')
})

t.test('fault proxy: a cut after so many bytes is an end in order', async (t) => {
  const { proxy, client, server } = await way(t, { kind: 'cut', after: 6 })
  client.write('ask')
  const there = await server()
  await there.until((text) => text === 'ask')
  there.write('abcdefgh')
  t.equal(await client.over(), '')
  t.equal(client.text, 'abcdef')
  client.write('nobody reads this')
  proxy.fault = { kind: 'none' }
  await until('the server is rid of it', () => there.ended || there.closed)
  client.end()
  await until('it is closed', () => proxy.size === 0)
  t.equal(client.error, '')
})

t.test('fault proxy: a drip', async (t) => {
  const { proxy, client, server } = await way(t, { kind: 'drip', bytes: 2, ms: 1 })
  const pieces: string[] = []
  const there = await server()
  client.write('abcdefg')
  there.socket.on('data', (chunk: Buffer) => pieces.push(chunk.toString()))
  await there.until((text) => text === 'abcdefg')
  t.ok(pieces.length > 1, pieces.join(' '))
  proxy.fault = { kind: 'drip', bytes: 3, ms: 600_000 }
  there.write('answer')
  await settled(t)
  t.equal(client.text, '')
  proxy.fault = { kind: 'none' }
  await client.until((text) => text === 'answer')
})

t.test('fault proxy: as a process', async (t) => {
  const backend = await RawBackend.listen((connection) => {
    connection.write('hello')
  })
  const program = new URL('fault-proxy-program.js', import.meta.url).pathname
  const args = [program, '127.0.0.1:0', `127.0.0.1:${backend.port}`]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(async () => {
    child.kill()
    await backend.close()
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const first = await until('its port', () => lines[0])
  const { port } = JSON.parse(first) as { port: number }
  const client = await RawClient.connect(port)
  client.write('x')
  await client.until((text) => text === 'hello')
  child.stdin.write('{"kind":"reset","after":0}\n')
  t.equal(await client.over(), 'ECONNRESET')
  for (const wrong of [
    '{"kind":"flood"}',
    '{"kind":"delay"}',
    '{"kind":"drip","bytes":0,"ms":1}',
    '{',
  ]) {
    child.stdin.write(`${wrong}\n`)
  }
  await until('six lines', () => lines.length === 6)
  t.equal(lines[1], '{"fault":"reset"}')
  for (const line of lines.slice(2)) t.match(line, /^\{"error":"/)
  child.stdin.end()
  const [status] = (await once(child, 'exit')) as [number]
  t.equal(status, 0)
})
