import t from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { CHANCES, Chance } from '../../../src/proxy/balance/chance.ts'

t.test('chance: the same beginning gives the same numbers, another gives others', async (t) => {
  const draw = (seed: number): number[] => {
    const chance = new Chance(seededRandom(seed))
    return Array.from({ length: 20 }, () => chance.next())
  }
  t.same(draw(1), draw(1))
  t.not(draw(1)[0], draw(2)[0])
})

t.test('chance: numbers are below their bound, and spread evenly', async (t) => {
  for (let seed = 0; seed < 5; seed += 1) {
    const chance = new Chance(seededRandom(seed))
    const counts = new Array<number>(10).fill(0)
    for (let turn = 0; turn < 50_000; turn += 1) {
      const drawn = turn % 2 === 0 ? chance.below(10) : Math.floor((chance.next() / CHANCES) * 10)
      counts[drawn] = (counts[drawn] ?? 0) + 1
    }
    t.equal(counts.length, 10, 'nothing is 10 or above')
    for (const count of counts) t.ok(Math.abs(count - 5000) < 5 * Math.sqrt(4500), `${count}`)
  }
})

t.test('chance: the first numbers of many that begin together are spread too', async (t) => {
  const random = seededRandom(3)
  const counts = new Array<number>(4).fill(0)
  for (let turn = 0; turn < 20_000; turn += 1) {
    const drawn = new Chance(random).below(4)
    counts[drawn] = (counts[drawn] ?? 0) + 1
  }
  for (const count of counts) t.ok(Math.abs(count - 5000) < 5 * Math.sqrt(3750), `${count}`)
})
