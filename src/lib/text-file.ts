// A text file, read whole, with a limit on its size and a plain word for why it cannot be read.

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Problems } from './problems.ts'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  ENOTDIR: 'is below something that is not a folder',
  ELOOP: 'is a symbolic link that leads to itself',
}

/** The file's text, or undefined after a problem, which names it as `shown`. Never throws. */
export async function readTextFile(
  path: string,
  maxBytes: number,
  problems: Problems,
  shown: string = path,
): Promise<string | undefined> {
  try {
    const bytes = await readUpTo(path, maxBytes + 1)
    if (bytes.length <= maxBytes) return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    problems.add(shown, `is larger than ${maxBytes} bytes`)
  } catch (error) {
    problems.add(shown, whyUnreadable(error))
  }
  return undefined
}

/** Why a file operation failed, as a sentence about the file. */
export function whyUnreadable(error: unknown): string {
  if (error instanceof TypeError) return 'is not UTF-8 text'
  if (!(error instanceof Error)) return 'cannot be read'
  const { code = '' } = error as NodeJS.ErrnoException
  return REASONS[code] ?? `cannot be read: ${error.message}`
}

/** At most `limit` bytes, however long the file is or grows meanwhile. */
async function readUpTo(path: string, limit: number): Promise<Buffer> {
  // Without O_NONBLOCK, opening a pipe waits for somebody to write into it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile())
      throw new Error(stats.isDirectory() ? 'it is a folder' : 'it is not a file')
    const { size } = stats
    const buffer = Buffer.allocUnsafe(Math.min(size + 1, limit))
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.subarray(0, length)
  } finally {
    await file.close()
  }
}
