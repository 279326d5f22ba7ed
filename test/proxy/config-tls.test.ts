// The settings of listeners that end TLS, and what is wrong with them.

import { resolve } from 'node:path'
import t from 'tap'
import { check, read, SOME } from './config-reading.ts'

t.test('config: TLS of explicit listeners', async (t) => {
  const inbound = (tls: string): string =>
    `${SOME}inbound: { listeners: [{ address: 127.0.0.1:1, target: 10.0.0.1:1, tls: ${tls} }] }`
  const at = '.inbound.listeners[0].tls'
  check(t, [
    [inbound('{ certificate: a.crt }'), {}, [`${at}.key`, 'is required']],
    [inbound('{}'), {}, [`${at}.certificate`, 'is required'], [`${at}.key`, 'is required']],
    [
      inbound('a.pem'),
      {},
      [at, 'must be a mapping'],
      [`${at}.certificate`, 'required'],
      [`${at}.key`, 'required'],
    ],
    [
      inbound('{ certificate: 1, key: "" }'),
      {},
      [`${at}.certificate`, 'text'],
      [`${at}.key`, 'not empty'],
    ],
    [
      inbound('{ certificate: a, key: b, alpn: h2 }'),
      {},
      [`${at}.alpn`, 'known here: certificate, key'],
    ],
  ])
  const { settings, problems } = read(inbound('{ certificate: a.crt, key: /b.key }'), {
    UNDERPASS_OUTBOUND_LISTENERS:
      '[{ address: 127.0.0.1:2, service: a, port: 1, tls: { certificate: c, key: d } }]',
    UNDERPASS_DISCOVERY_FILES: 'mesh',
  })
  t.same(problems, [])
  t.same(settings.inbound.listeners[0]?.tls, {
    certificate: resolve('conf/a.crt'),
    key: '/b.key',
  })
  const [listener] = settings.outbound.listeners
  t.same(
    listener?.tls,
    { certificate: resolve('c'), key: resolve('d') },
    'of the working directory',
  )
})
