// Pods are where every other namespace test stands, so they are proven first: reachable at once over IPv4 and
// IPv6, private to their network, under the right uid, and gone without a trace afterwards.

import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { run } from '../../demo/pods/child.ts'
import { APP_UID, Network, type Pod } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/network'

async function open(t: Test): Promise<Network> {
  const network = await Network.open()
  t.teardown(async () => {
    if ((await namespaces()).includes(network.node)) await network.close()
  })
  return network
}

/** The namespaces that this process made; other tests may run in the same world. */
async function namespaces(): Promise<string[]> {
  const listed = JSON.parse(await run(['ip', '-json', 'netns', 'list'])) as { name: string }[]
  return listed.map(({ name }) => name).filter((name) => name.includes(`-${process.pid}-`))
}

/** False also for a process that has ended and that nobody waits for, as the daemons of a world. */
function isRunning(pid: string): boolean {
  if (!existsSync(`/proc/${pid}`)) return false
  return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

/** A server that answers every connection with its word, on both families. */
async function greeter(pod: Pod, word: string): Promise<void> {
  const script = `require('node:net').createServer((s) => s.end('${word}')).listen(7000, '::', () => console.log('up'))`
  await pod.start(APP_UID, ['node', '-e', script]).prints(/up/)
}

/** What the greeter at `host` says, and how many milliseconds the first connection took. */
async function ask(pod: Pod, host: string): Promise<{ said: string; took: number }> {
  const script = `const start = performance.now(); let took
    const s = require('node:net').connect(7000, '${host}', () => { took = performance.now() - start })
    let said = ''; s.on('data', (d) => (said += d)); s.on('error', (e) => (said = e.code))
    s.on('close', () => console.log(JSON.stringify({ said, took })))`
  const done = await pod.exec(APP_UID, ['node', '-e', script])
  return JSON.parse(done.stdout) as { said: string; took: number }
}

t.test('network: a new pod is reachable at once, over IPv4 and IPv6', { skip }, async (t) => {
  const network = await open(t)
  const server = await network.pod('server')
  await greeter(server, 'hello')
  for (const host of [server.ip6, server.ip]) {
    const client = await network.pod(`client-${host.replace(/[^a-f0-9]+/g, '-')}`)
    const { said, took } = await ask(client, host)
    t.equal(said, 'hello', `a new pod reaches ${host}`)
    t.ok(took < 500, `without a retransmission: ${took} ms`)
  }
})

t.test('network: a new server is reachable at once from an old pod', { skip }, async (t) => {
  const network = await open(t)
  const client = await network.pod('client')
  for (const family of ['ip', 'ip6'] as const) {
    const server = await network.pod(`server-${family}`)
    await greeter(server, family)
    const { said, took } = await ask(client, server[family])
    t.equal(said, family)
    t.ok(took < 500, `without a retransmission: ${took} ms`)
  }
})

t.test('network: two networks have the same names and never meet', { skip }, async (t) => {
  const networks = await Promise.all([open(t), open(t)])
  const pods = await Promise.all(
    networks.map((network) => Promise.all([network.pod('server'), network.pod('client')])),
  )
  const words = ['one', 'two']
  for (const [i, [server, client]] of pods.entries()) {
    t.same([server.ip, client.ip], ['198.18.0.2', '198.18.0.3'])
    await greeter(server, words[i] ?? '')
  }
  for (const [i, [server, client]] of pods.entries()) {
    t.equal((await ask(client, server.ip)).said, words[i])
    t.equal((await ask(client, server.ip6)).said, words[i])
  }
})

t.test('network: a program in a pod runs under the uid it was given', { skip }, async (t) => {
  const network = await open(t)
  const pod = await network.pod('app')
  const user = async (uid: number): Promise<string> =>
    (await pod.exec(uid, ['id', '-u'])).stdout.trim()
  t.equal(await user(0), '0')
  t.equal(await user(1000), '1000')
  t.equal(await user(1337), '1337')
  const failed = await pod.exec(APP_UID, ['sh', '-c', 'cat; exit 3'], 'input')
  t.match(failed, { code: 3, signal: null, stdout: 'input' })
})

t.test('network: removal leaves no namespace and no process', { skip }, async (t) => {
  const before = await namespaces()
  const network = await open(t)
  const pod = await network.pod('app')
  const child = pod.start(APP_UID, ['sleep', '1000'])
  await pod.exec(APP_UID, ['sh', '-c', 'setsid sleep 1000 >/dev/null 2>&1 & echo'])
  const stubborn = pod.start(0, ['sh', '-c', 'trap "" TERM; echo up; while :; do sleep 9; done'])
  await stubborn.prints(/up/)
  const parent = pod.start(APP_UID, ['sh', '-c', 'echo up; sleep 1000; :'])
  await parent.prints(/up/)
  // The child, the daemon, the stubborn one with its child, and one whose child holds its output.
  let pids: string[] = []
  while (pids.length < 6) {
    pids = (await run(['ip', 'netns', 'pids', pod.netns])).trim().split('\n')
  }
  t.ok(pids.includes(String(child.pid)), 'the child is the program itself, no wrapper')
  t.equal((await namespaces()).length, before.length + 2, 'a node and a pod')

  await network.close()
  t.same(await namespaces(), before)
  t.same(
    pids.filter((pid) => isRunning(pid)),
    [],
  )
})
