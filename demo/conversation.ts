// A program that answers each line on its standard input with one line of JSON: asked one thing after another.

import type { Child } from './pods/child.ts'

const LIMIT = 8000

export class Conversation {
  readonly child: Child
  readonly #lines: string[] = []
  #unread = ''
  #wake: (() => void) | undefined

  constructor(child: Child) {
    this.child = child
    child.process.stdout?.on('data', (text: string) => {
      const lines = (this.#unread + text).split('\n')
      this.#unread = lines.pop() ?? ''
      this.#lines.push(...lines.filter((line) => line.startsWith('{')))
      this.#wake?.()
    })
  }

  async ask(line: string): Promise<unknown> {
    this.child.process.stdin?.write(`${line}\n`)
    return await this.next()
  }

  /** The next line of JSON that has not been read. */
  async next(): Promise<unknown> {
    if (this.#lines.length === 0) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new Error(`no answer from ${this.child.describe()}`))
        }, LIMIT)
        this.#wake = (): void => {
          if (this.#lines.length === 0) return
          clearTimeout(timer)
          this.#wake = undefined
          resolve()
        }
      })
    }
    return JSON.parse(this.#lines.shift() ?? '')
  }
}
