// nghttpd, the server of the nghttp2 library, as the backend of small answers over HTTP/2: in C, so that the load's
// core has as much left for the client as can be. Where it is not installed, a server of ours does instead.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ANSWER_BODY } from './protocol.ts'
import { freePort, type Stage } from './stage.ts'
import { accepts, findProgram, ready } from './targets/target.ts'

export const NGHTTPD: string | undefined = findProgram('nghttpd')

/** Starts it and gives its port. */
export async function startNghttpd(stage: Stage, program: string): Promise<number> {
  const folder = join(stage.folder, 'htdocs')
  mkdirSync(folder)
  writeFileSync(join(folder, 'index.html'), ANSWER_BODY)
  const port = await freePort()
  const place = ['-a', '127.0.0.1', '--no-tls', '-n', '1', '-d', folder, String(port)]
  const child = stage.start('load', [program, ...place])
  await ready(child, async () => await accepts(port))
  return port
}
