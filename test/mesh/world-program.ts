// The program whose world test/mesh/world.test.ts looks at from outside: `stay`, `stubborn`, `exit CODE` or `nest`.
//
// A second word that means nothing here stands on every command line, so that the test finds each process of it.

import { APP_UID, Network } from '../../demo/pods/network.ts'
import { insideWorld, runInWorld, settleWorld } from '../../demo/pods/world.ts'

const SELF = 'build/test/mesh/world-program.js'
const [mode = '', token = '', level = 'outer'] = process.argv.slice(2)

process.exitCode =
  insideWorld() && process.env['WORLD_LEVEL'] === level ? await inside() : await outside()

async function outside(): Promise<number> {
  process.env['WORLD_LEVEL'] = level
  return await runInWorld(SELF, process.argv.slice(2))
}

async function inside(): Promise<number> {
  await settleWorld(() => {
    process.stdout.write('told to end\n')
    if (mode !== 'stubborn') process.exit(9)
  })
  if (mode.startsWith('exit')) return Number(mode.slice(4))
  const network = await Network.open()
  const pod = await network.pod('app')
  const app = pod.start(APP_UID, ['sh', '-c', 'echo up $(id -u); sleep 1000; :', token])
  await app.prints(/up 1000/)
  await pod.exec(APP_UID, ['sh', '-c', 'setsid sh -c "sleep 1000; :" $0 >/dev/null 2>&1 &', token])
  const { code } = await pod.exec(APP_UID, [
    'node',
    '-e',
    'require("fs").readFileSync("package.json")',
  ])
  const seen = code === 0 ? 'where its users read package.json' : 'closed to its users'
  process.stdout.write(`settled in ${process.cwd()}, ${seen}\n`)
  if (mode !== 'nest') await new Promise(() => setInterval(() => undefined, 1000))
  process.env['WORLD_LEVEL'] = 'inner'
  const status = await runInWorld(SELF, ['exit5', token, 'inner'])
  await network.close()
  return status
}
