// Clients that speak HTTP/2 through the whole proxy (fixture.ts), to backends that speak HTTP/1.1 unless a test says
// otherwise.

import type { Test } from 'tap'
import type { Wire } from '../../../src/proxy/stack/destination.ts'
import { H2Client } from '../../support/h2-client.ts'
import { L7, type Options, type Place } from './fixture.ts'

export interface H2Options extends Options {
  /** What the endpoints speak. */
  readonly wire?: Wire
}

export async function h2(
  t: Test,
  places: readonly Place[],
  options: H2Options = {},
): Promise<{ f: L7; client: H2Client }> {
  const f = await L7.start(t, places, options)
  f.destination.wire = options.wire ?? 'http1'
  return { f, client: await h2Client(t, f) }
}

/** Another one. */
export async function h2Client(t: Test, f: L7, settings = {}): Promise<H2Client> {
  const client = await H2Client.connect(f.port, settings)
  t.teardown(() => {
    client.destroy()
  })
  return client
}
