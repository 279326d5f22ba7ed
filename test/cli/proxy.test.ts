// `underpass proxy` from outside: what it refuses, how it starts, and how it ends.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { dial, serve } from '../support/tcp.ts'
import { type Running, start } from './command.ts'

function fileWith(t: Test, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'underpass-cli-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const path = join(folder, 'underpass.yaml')
  writeFileSync(path, text)
  return path
}

/** A proxy in front of `target`, and an open connection through it. */
async function inFrontOf(t: Test, env: Record<string, string> = {}): Promise<Running> {
  const target = await serve((socket) => socket.pipe(socket))
  t.teardown(target.close)
  const listeners = `[{ address: "127.0.0.1:0", target: "127.0.0.1:${target.port}" }]`
  const run = start(t, ['proxy'], {
    ...{ UNDERPASS_ADMIN: 'off', UNDERPASS_INBOUND_LISTENERS: listeners },
    ...env,
  })
  const address = await run.listening('inbound.listeners[0].address')
  await run.event('ready')
  const client = await dial(Number(address.split(':')[1]))
  t.teardown(() => client.destroy())
  client.on('error', () => undefined)
  client.write('hello')
  await new Promise((resolve) => client.once('data', resolve))
  return run
}

t.test('proxy: --help has every setting', async (t) => {
  const run = start(t, ['proxy', '--help'])
  t.equal(await run.status(), 0)
  for (const word of ['--check', '--config', 'UNDERPASS_DRAIN_GRACE', 'outbound.transparent']) {
    t.ok(run.out.includes(word), word)
  }
})

t.test('proxy: --check says that it is good, and ends', async (t) => {
  const path = fileWith(t, 'inbound: { transparent: "127.0.0.1:15006" }\n')
  const run = start(t, ['proxy', '--check', '--config', path])
  t.equal(await run.status(), 0)
  t.equal(run.out, 'The configuration is good.\n')
})

t.test('proxy: every problem of file and environment is said at once', async (t) => {
  const path = fileWith(t, 'egress: maybe\nspeed: high\ndrain: { grace: soon }\n')
  for (const args of [['--check'], []]) {
    const run = start(t, ['proxy', ...args, '--config', path], {
      ...{ UNDERPASS_LOG_LEVEL: 'loud', UNDERPASS_SPEED: '1' },
    })
    t.equal(await run.status(), 2)
    t.equal(run.out, '')
    for (const word of [
      'egress',
      'speed',
      'drain.grace',
      'UNDERPASS_LOG_LEVEL',
      'UNDERPASS_SPEED',
    ]) {
      t.match(run.err, new RegExp(`^(\\S+ )?${word}: `, 'm'), word)
    }
    t.notMatch(run.err, /\n\s+at /, 'no stack')
  }
})

t.test('proxy: a file that is not there is refused with its name', async (t) => {
  const run = start(t, ['proxy', '--check', '--config', '/nowhere/underpass.yaml'])
  t.equal(await run.status(), 2)
  t.match(run.err, '/nowhere/underpass.yaml')
})

t.test('proxy: manifests that are wrong are refused at the start', async (t) => {
  const path = fileWith(t, 'apiVersion: v1\nkind: Service\nmetadata: {}\n')
  const listeners = '[{ address: "127.0.0.1:0", service: shop.default, port: 80 }]'
  const run = start(t, ['proxy'], {
    UNDERPASS_ADMIN: 'off',
    UNDERPASS_DISCOVERY_FILES: path,
    UNDERPASS_OUTBOUND_LISTENERS: listeners,
  })
  t.equal(await run.status(), 2)
  t.match(run.err, /underpass\.yaml.*name/)
})

t.test('proxy: an address in use is refused with its key', async (t) => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => taken.close())
  const found = taken.address()
  const address = `127.0.0.1:${typeof found === 'object' ? found?.port : ''}`
  const spare = '[{ address: "127.0.0.1:0", target: "127.0.0.1:9" }]'
  const keys: Record<string, Record<string, string>> = {
    admin: { UNDERPASS_ADMIN: address, UNDERPASS_INBOUND_LISTENERS: spare },
    'inbound.listeners[0].address': {
      UNDERPASS_ADMIN: 'off',
      UNDERPASS_INBOUND_LISTENERS: `[{ address: "${address}", target: "127.0.0.1:9" }]`,
    },
  }
  for (const [key, env] of Object.entries(keys)) {
    const run = start(t, ['proxy'], env)
    t.equal(await run.status(), 2, key)
    t.ok(run.err.includes(`key=${key}`), run.err)
    t.ok(run.err.includes(address))
    t.match(run.err, 'EADDRINUSE')
  }
})

t.test('proxy: SIGTERM without a connection ends it at once, with 0', async (t) => {
  const run = start(t, ['proxy'], {
    UNDERPASS_ADMIN: 'off',
    UNDERPASS_INBOUND_LISTENERS: '[{ address: "127.0.0.1:0", target: "127.0.0.1:9" }]',
  })
  await run.event('ready')
  run.child.kill('SIGTERM')
  t.equal(await run.status(), 0)
  t.equal(run.events('stopped').length, 1)
})

t.test('proxy: SIGTERM waits for the grace, and still ends with 0', async (t) => {
  const run = await inFrontOf(t, { UNDERPASS_DRAIN_GRACE: '50ms' })
  run.child.kill('SIGTERM')
  t.equal(await run.status(), 0)
  t.match(run.events('closed'), [{ error: 'drain-timeout' }])
})

t.test('proxy: a second SIGTERM ends it at once, with 1', async (t) => {
  const run = await inFrontOf(t, { UNDERPASS_DRAIN_GRACE: '1h' })
  run.child.kill('SIGTERM')
  await run.event('draining')
  run.child.kill('SIGTERM')
  t.equal(await run.status(), 1)
})

t.test(
  'proxy: told to quit it drains, and a SIGTERM after that does not cut it short',
  async (t) => {
    const port = await freePort()
    const run = await inFrontOf(t, {
      ...{ UNDERPASS_ADMIN: `127.0.0.1:${port}`, UNDERPASS_DRAIN_GRACE: '1s' },
    })
    t.equal(await post(port, '/quit'), 202)
    await run.event('draining')
    t.equal(await post(port, '/quit'), 202, 'asked twice it is the same')
    run.child.kill('SIGTERM')
    t.equal(await run.status(), 0)
    t.match(run.events('closed'), [{ error: 'drain-timeout' }])
  },
)

t.test('proxy: told to quit it answers before it is gone', async (t) => {
  const port = await freePort()
  const run = start(t, ['proxy'], {
    UNDERPASS_ADMIN: `127.0.0.1:${port}`,
    UNDERPASS_INBOUND_LISTENERS: '[{ address: "127.0.0.1:0", target: "127.0.0.1:9" }]',
  })
  await run.event('ready')
  t.equal(await post(port, '/quit'), 202)
  t.equal(await run.status(), 0)
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const found = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof found === 'object' ? (found?.port ?? 0) : 0
}

async function post(port: number, path: string): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', method: 'POST', path, agent: false })
    asked.on('error', reject)
    asked.on('response', (response) => {
      response.resume()
      response.on('end', () => {
        resolve(response.statusCode)
      })
    })
    asked.end()
  })
}
