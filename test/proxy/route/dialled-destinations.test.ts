// Which destinations that traffic named are remembered: a bounded number, and those in use first.

import t from 'tap'
import { DialledDestinations } from '../../../src/proxy/route/dialled-destinations.ts'
import { ConnectionCounters } from '../../../src/proxy/stack/counters.ts'
import { Destination, SinglePicker } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'

const MOST = 1024

function dialled(): DialledDestinations {
  return new DialledDestinations((address) => {
    const endpoint = new Endpoint(address, 1, new ConnectionCounters('inbound', 'local', ''))
    const rules = { connectTimeout: 1, idleTimeout: 1 }
    return new Destination('inbound', 'local', new SinglePicker(endpoint), rules)
  })
}

const at = (port: number): { ip: string; port: number } => ({ ip: '198.18.0.1', port })

function use(destination: Destination, by: number): void {
  for (const endpoint of destination.picker.endpoints) endpoint.open += by
}

t.test('dialled destinations: the same for the same address, and all can be seen', async (t) => {
  const f = dialled()
  const [one, other] = [f.at(at(1), 0), f.at(at(2), 0)]
  t.equal(f.at(at(1), 1), one)
  t.same(new Set(f.all()), new Set([one, other]))
})

t.test('dialled destinations: too many, and those in use stay', async (t) => {
  const f = dialled()
  const busy = f.at(at(1), 0)
  use(busy, 1)
  const idle = f.at(at(2), 0)
  for (let port = 3; port <= MOST + 1; port++) f.at(at(port), 0)
  t.equal(f.size, MOST)
  t.equal(f.at(at(1), 0), busy)
  t.not(f.at(at(2), 0), idle, 'of those not in use the one unused for longest went')
})

t.test('dialled destinations: all in use, and the newest stays all the same', async (t) => {
  const f = dialled()
  const first = f.at(at(1), 0)
  use(first, 1)
  for (let port = 2; port <= MOST; port++) use(f.at(at(port), 0), 1)
  const newest = f.at(at(MOST + 1), 0)
  t.equal(f.size, MOST)
  t.equal(f.at(at(MOST + 1), 0), newest)
  t.notOk([...f.all()].includes(first))
})

t.test('dialled destinations: unused for two minutes, and forgotten unless in use', async (t) => {
  const f = dialled()
  const busy = f.at(at(1), 0)
  use(busy, 1)
  f.at(at(2), 0)
  f.sweep(119_999)
  t.equal(f.size, 2)
  f.sweep(120_000)
  t.same([...f.all()], [busy])
  use(busy, -1)
  f.sweep(120_000)
  t.equal(f.size, 0)
})
