// `underpass proxy` with listeners that end TLS, from outside.

import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { makeCertificate, testFolder } from '../support/certificates.ts'
import { serve } from '../support/tcp.ts'
import { start } from './command.ts'

const run = promisify(execFile)
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

t.test('proxy: a certificate that is not there is refused with key and path', async (t) => {
  const { certificate, key } = makeCertificate(testFolder(t))
  rmSync(key)
  for (const workers of ['1', '2']) {
    const proxy = start(t, ['proxy'], {
      UNDERPASS_ADMIN: 'off',
      UNDERPASS_WORKERS: workers,
      UNDERPASS_INBOUND_LISTENERS: `[{ address: "127.0.0.1:0", target: "127.0.0.1:9", tls: { certificate: ${certificate}, key: ${key} } }]`,
    })
    t.equal(await proxy.status(), 2)
    t.match(proxy.err, `inbound.listeners[0].tls.key ${key}: does not exist\n`)
    t.notMatch(proxy.err, /\n\s+at /, 'no stack')
  }
})

t.test('proxy: several workers share a listener that ends TLS', async (t) => {
  const { certificate, key } = makeCertificate(testFolder(t))
  const target = await serve((socket) => socket.on('data', () => socket.write(ANSWER)))
  t.teardown(target.close)
  const proxy = start(t, ['proxy'], {
    UNDERPASS_ADMIN: 'off',
    UNDERPASS_WORKERS: '2',
    UNDERPASS_INBOUND_LISTENERS: `[{ address: "127.0.0.1:0", target: "127.0.0.1:${target.port}", tls: { certificate: ${certificate}, key: ${key} } }]`,
  })
  const address = await proxy.listening('inbound.listeners[0].address')
  await proxy.event('ready')
  const curl = ['--silent', '--http1.1', '--cacert', certificate]
  for (let asked = 0; asked < 4; asked++) {
    const { stdout } = await run('curl', [...curl, `https://${address}/`])
    t.equal(stdout, 'hello')
  }
})
