// A sidecar with one inbound listener that ends TLS, in the test's own process, with a clock that the test turns.

import type { Test } from 'tap'
import { Problems } from '../../../src/lib/problems.ts'
import { readSettings } from '../../../src/proxy/config.ts'
import { Sidecar } from '../../../src/proxy/sidecar.ts'
import type { TestCertificate } from '../../support/certificates.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'

export interface Started {
  readonly sidecar: Sidecar
  readonly clock: FakeClock
  readonly lines: Record<string, unknown>[]
  readonly port: () => number
}

/** With one inbound listener in front of `target`; `more` are keys of the configuration. */
export function makeSidecar(t: Test, target: number, paths: TestCertificate, more = ''): Started {
  const { certificate, key } = paths
  const tls = `{ certificate: ${certificate}, key: ${key} }`
  const listener = `{ address: 127.0.0.1:0, target: 127.0.0.1:${target}, tls: ${tls} }`
  const yaml = `admin: off\ninbound: { listeners: [${listener}] }\n${more}`
  const problems = new Problems()
  const settings = readSettings({ name: 'proxy.yaml', text: yaml }, {}, problems)
  t.equal(problems.toString(), '')
  const { log, lines } = logLines()
  const clock = new FakeClock(Date.now())
  const sidecar = new Sidecar(
    settings,
    clock,
    () => 0,
    log,
    () => undefined,
  )
  t.teardown(async () => {
    sidecar.abort()
    await sidecar.stop()
  })
  const port = (): number => {
    const line = lines.find(({ event }) => event === 'listening')
    return Number(String(line?.['address']).split(':')[1])
  }
  return { sidecar, clock, lines, port }
}
