// Finds what the tests of this folder hold the README to.

import { readFileSync } from 'node:fs'

export function readme(): string {
  return readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
}

/** The rows of the first table below a heading, each cell without its backticks; the head is the first row. */
export function tableBelow(text: string, heading: string): string[][] {
  const [, section = ''] = text.split(new RegExp(`^#+ ${heading}$`, 'm'))
  const lines = section.split(/^#+ /m)[0]?.split('\n') ?? []
  const start = lines.findIndex((line) => line.startsWith('|'))
  if (start === -1) throw new Error(`the README has no table below "${heading}"`)
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'))
  const rows = lines.slice(start, length === -1 ? undefined : start + length)
  return rows
    .filter((row) => !/^\|[-|: ]+$/.test(row))
    .map((row) => row.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll('`', '')))
}
