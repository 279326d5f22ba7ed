// The table of deadlines: what it holds, for how long, and that it never holds more than it may.

import t from 'tap'
import { HalfSipHash } from '../../../src/lib/half-sip-hash.ts'
import { seededRandom } from '../../../src/lib/random.ts'
import { TraceTable } from '../../../src/proxy/resilience/trace-table.ts'
import { NO_LIMIT } from '../../../src/proxy/stack/route.ts'

const table = (capacity: number): TraceTable => new TraceTable(capacity, new HalfSipHash(1, 2))
const id = (value: number): Int32Array => Int32Array.from([7, 0, -1, value])

t.test('trace table: a deadline is there until it is over or let go of', async (t) => {
  const f = table(8)
  const handle = f.hold(id(1), 0, 100)
  t.same([f.size, f.find(id(1), 0, 99.5), f.find(id(2), 0, 0)], [1, 100, NO_LIMIT])
  f.release(handle)
  t.same([f.size, f.find(id(1), 0, 0)], [0, NO_LIMIT])
  const over = f.hold(id(1), 0, 100)
  t.equal(f.find(id(1), 0, 100), NO_LIMIT, 'it is over')
  t.equal(f.size, 0)
  f.release(over)
  t.equal(f.size, 0, 'whoever comes late takes nothing away')
})

t.test('trace table: every bit of an id counts', async (t) => {
  const f = table(200)
  const ids = [new Int32Array(4)]
  for (let bit = 0; bit < 128; bit++) {
    const words = new Int32Array(4)
    words[bit >> 5] = 1 << (bit & 31)
    ids.push(words)
  }
  for (const [at, words] of ids.entries()) f.hold(words, 0, at + 1)
  t.same(
    ids.map((words) => f.find(words, 0, 0)),
    ids.map((_, at) => at + 1),
  )
})

t.test(
  'trace table: of several at the same time the latest holds until the last ends',
  async (t) => {
    const f = table(8)
    const [early, late] = [f.hold(id(1), 0, 100), f.hold(id(1), 0, 300)]
    const middle = f.hold(id(1), 0, 200)
    t.same([f.size, f.find(id(1), 0, 0)], [1, 300])
    f.release(late)
    t.equal(f.find(id(1), 0, 0), 300)
    f.release(early)
    t.equal(f.find(id(1), 0, 0), 300)
    f.release(middle)
    t.equal(f.size, 0)
  },
)

t.test('trace table: full, the one unused for longest goes', async (t) => {
  const f = table(3)
  const first = f.hold(id(1), 0, 100)
  f.hold(id(2), 0, 100)
  f.hold(id(3), 0, 100)
  f.find(id(1), 0, 0)
  f.hold(id(2), 0, 50)
  f.hold(id(4), 0, 100)
  t.equal(f.size, 3)
  t.same(
    [1, 2, 3, 4].map((value) => f.find(id(value), 0, 0)),
    [100, 100, NO_LIMIT, 100],
    '1 was read and 2 written since',
  )
  f.hold(id(5), 0, 100)
  t.equal(f.find(id(1), 0, 0), NO_LIMIT)
  f.release(first)
  t.equal(f.size, 3, 'it had been thrown out, and its index given to another')
  t.equal(f.find(id(5), 0, 0), 100)
})

t.test('trace table: no more entries than it can have indexes', async (t) => {
  const f = table(100_000)
  for (let value = 0; value < 40_000; value++) f.hold(id(value), 0, 1)
  t.equal(f.size, 32_767)
})

interface Model {
  deadline: number
  holders: number
}

/** A table of objects that does the same, slowly; in the order of use. */
class Reference {
  readonly entries = new Map<number, Model>()

  readonly capacity: number

  constructor(capacity: number) {
    this.capacity = capacity
  }

  hold(value: number, deadline: number): Model {
    const known = this.entries.get(value)
    const entry = known ?? { deadline, holders: 0 }
    if (known === undefined && this.entries.size === this.capacity) {
      for (const oldest of this.entries.keys()) {
        this.entries.delete(oldest)
        break
      }
    }
    entry.deadline = Math.max(entry.deadline, deadline)
    entry.holders += 1
    this.#use(value, entry)
    return entry
  }

  release(value: number, entry: Model): void {
    if (this.entries.get(value) !== entry) return
    entry.holders -= 1
    if (entry.holders === 0) this.entries.delete(value)
  }

  find(value: number, now: number): number {
    const entry = this.entries.get(value)
    if (entry === undefined) return NO_LIMIT
    this.#use(value, entry)
    if (entry.deadline > now) return entry.deadline
    this.entries.delete(value)
    return NO_LIMIT
  }

  #use(value: number, entry: Model): void {
    this.entries.delete(value)
    this.entries.set(value, entry)
  }
}

t.test('trace table: as a table of objects would have it', async (t) => {
  const seed = 20_261_123
  t.comment(`seed ${seed}`)
  const random = seededRandom(seed)
  const any = (most: number): number => Math.floor(random() * most)
  const f = table(16)
  const reference = new Reference(16)
  const held: { value: number; handle: number; entry: Model }[] = []
  let wrong = 0
  for (let now = 0; now < 60_000; now++) {
    const value = any(40)
    const what = any(3)
    if (what === 0 && held.length < 60) {
      const deadline = now + any(200)
      const handle = f.hold(id(value), 0, deadline)
      held.push({ value, handle, entry: reference.hold(value, deadline) })
    } else if (what === 1 && held.length > 0) {
      const [gone] = held.splice(any(held.length), 1)
      if (gone === undefined) continue
      f.release(gone.handle)
      reference.release(gone.value, gone.entry)
    } else if (f.find(id(value), 0, now) !== reference.find(value, now)) wrong += 1
    if (f.size !== reference.entries.size) wrong += 1
  }
  t.equal(wrong, 0)
  for (const { handle } of held) f.release(handle)
  t.equal(f.size, 0, 'nothing is left behind')
})
