import t from 'tap'
import { seededRandom, systemRandom } from '../../src/lib/random.ts'

t.test('random: a seed repeats its numbers, another seed has others', async (t) => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed)
    return Array.from({ length: 20 }, random)
  }
  t.same(draw(1), draw(1))
  t.not(draw(1)[0], draw(2)[0])
})

t.test('random: numbers are from 0 to below 1, and spread evenly', async (t) => {
  const random = seededRandom(3)
  const buckets = new Array<number>(10).fill(0)
  for (let turn = 0; turn < 50_000; turn += 1) {
    const at = Math.floor(random() * 10)
    buckets[at] = (buckets[at] ?? 0) + 1
  }
  t.equal(buckets.length, 10, 'nothing is 1 or above')
  for (const count of buckets) t.ok(Math.abs(count - 5000) < 5 * Math.sqrt(4500), `${count}`)
  const drawn = systemRandom()
  t.ok(drawn >= 0 && drawn < 1)
})
