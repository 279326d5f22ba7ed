// The table of open streams against a Map, whatever comes and goes.

import t from 'tap'
import { seededRandom } from '../../../../src/lib/random.ts'
import { type Numbered, StreamSlots } from '../../../../src/proxy/http/h2/stream-slots.ts'

const SEED = 20_261_123
const STEPS = 20_000

function stream(id: number): Numbered {
  return { id }
}

t.test(`stream slots: as a Map has it, seed ${SEED}`, async (t) => {
  const random = seededRandom(SEED)
  for (const most of [3, 40, 700]) {
    const slots = new StreamSlots<Numbered>()
    const known = new Map<number, Numbered>()
    let id = 1
    let wrong = 0
    for (let step = 0; step < STEPS; step++) {
      if (known.size < most && random() < 0.55) {
        const added = stream(id)
        // Some live for long, so that later ones meet them.
        id += random() < 0.02 ? 64 : 2
        slots.add(added)
        known.set(added.id, added)
      } else {
        const list = [...known.values()]
        const one = list[Math.floor(random() ** 3 * list.length)]
        if (one !== undefined && slots.remove(one) !== known.delete(one.id)) wrong += 1
      }
      const asked = 1 + 2 * Math.floor(random() * ((id + 8) / 2))
      if (slots.find(asked) !== known.get(asked)) wrong += 1
    }
    t.equal(wrong, 0, `with ${most} at most`)
    t.same(
      slots
        .list()
        .map((one) => one.id)
        .sort((one, other) => one - other),
      [...known.keys()],
    )
  }
})

t.test('stream slots: what is not there is not removed, and room is given back', async (t) => {
  const slots = new StreamSlots<Numbered>()
  const one = stream(1)
  t.notOk(slots.remove(one))
  slots.add(one)
  t.notOk(slots.remove(stream(1)), 'another one of the same id')
  t.ok(slots.remove(one))
  t.notOk(slots.remove(one))
  for (let id = 3; id < 203; id += 2) slots.add(stream(id))
  for (const each of slots.list()) t.ok(slots.remove(each))
  slots.rest()
  t.same(slots.list(), [])
  slots.add(one)
  t.equal(slots.find(1), one)
})
