// Numbers that are objects already, for tests that look for what is allocated: given to a call that V8 has not inlined,
// which is its own to decide, a number that was just computed becomes an object, and would be taken for an allocation
// of the code under test.

export class BoxedNumbers {
  // With an object among them, V8 keeps the numbers as objects too.
  readonly #all: unknown[] = [{}]

  /** `count` of them from `first`, `step` apart. Those of before are dropped. */
  fill(first: number, count: number, step: number): void {
    this.#all.length = 1
    for (let at = 0; at < count; at += 1) this.#all.push(first + at * step)
  }

  at(index: number): number {
    return this.#all[index + 1] as number
  }
}
