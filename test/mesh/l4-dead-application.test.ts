// An endpoint whose application is gone while its sidecar still stands: the sidecar accepts before it can know, so
// nothing but the reset that follows tells the client's sidecar to go elsewhere.

import t from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { policy, service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l4-dead-application'

const FAILURES = 'underpass_tcp_connect_failures_total'
const HTTP =
  "require('node:http').createServer((_, answer) => answer.end('two')).listen(8081, '::', () => console.log('up'))"

t.test('l4: an endpoint without its application', { skip }, async (t) => {
  const mesh = await Mesh.open(t, { mode: 'l4' })
  const [client, one, two] = await Promise.all([
    mesh.meshed('client'),
    mesh.meshed('one'),
    mesh.meshed('two'),
  ])
  const endpoints = [{ ip: one.ip }, { ip: two.ip }]
  const announce = async (name: string, ip: string, port: number): Promise<void> => {
    const resources = service({ name, ips: [ip], port, endpoints })
    const turn = { loadBalancer: { algorithm: 'roundRobin' } }
    await mesh.publish(`${name}.yaml`, [...resources, policy(name, turn)])
  }

  await t.test('l4: where the server speaks first no client notices', async (t) => {
    await two.agent.listen(8080, { greeting: 'two', end: true })
    await announce('mail', '198.19.0.20', 8080)
    t.same(await client.agent.tally(24, '198.19.0.20', 8080), { two: 24 })
    const labels = { endpoint: `${one.ip}:8080`, reason: 'endpoint-reset' }
    t.ok((await client.sidecar.metric(FAILURES, labels)) >= 1)
    await one.sidecar.logs({ event: 'connect-failed', error: 'endpoint-refused' })
  })

  await t.test('l4: where the client speaks first at most one request is lost', async (t) => {
    const server = two.pod.start(APP_UID, ['node', '-e', HTTP])
    await server.prints(/up/)
    await announce('web', '198.19.0.21', 8081)
    const answers: string[] = []
    for (let round = 0; round < 20; round += 1) {
      const { stdout } = await client.run('curl', '-s', '-m', '5', 'http://198.19.0.21:8081/')
      answers.push(stdout)
    }
    const lost = answers.filter((answer) => answer !== 'two')
    t.ok(lost.length <= 1, `${lost.length} of ${answers.length}`)
  })
})
