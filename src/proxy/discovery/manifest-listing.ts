// Which manifest files there are, and a signature of each that changes when the file does.
//
// The path is one file or a folder of them; in a folder, everything that ends in .yaml, .yml or .json, in the order of
// names, without what begins with a dot (editors' swap files, the `..data` of a mounted ConfigMap) and without
// subfolders. Symbolic links are followed. Reading the files is left to manifest-cache.ts.

import type { BigIntStats } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Problems } from '../../lib/problems.ts'
import { whyUnreadable } from '../../lib/text-file.ts'

export interface ManifestFile {
  readonly path: string
  /** How messages name it. */
  readonly shown: string
  readonly signature: string
}

export interface ManifestListing {
  readonly files: readonly ManifestFile[]
  /** The folder whose changes say that the listing may have changed. */
  readonly folder: string
  /** Which folder that is, even if another one takes its name. */
  readonly folderId: string
  readonly signature: string
}

const MANIFEST = /^[^.].*\.(?:yaml|yml|json)$/i
const MAX_FILES = 10_000
const MAX_BYTES = 64 * 1_048_576

/** The files, or undefined after a problem that leaves nothing to read. Never throws. */
export async function listManifests(
  path: string,
  problems: Problems,
): Promise<ManifestListing | undefined> {
  try {
    const stats = await stat(path, { bigint: true })
    if (stats.isDirectory()) return await listFolder(path, stats, problems)
    const folder = dirname(path)
    const file = fileOf(path, stats)
    const folderId = idOf(await stat(folder, { bigint: true }))
    return { files: [file], folder, folderId, signature: file.signature }
  } catch (error) {
    problems.add(shownPath(path), whyUnreadable(error))
    return undefined
  }
}

/** The path as messages show it: from the working directory if it is below, else as it is. */
export function shownPath(path: string): string {
  const short = relative('', path)
  return short === '' || short.startsWith('..') ? path : short
}

async function listFolder(
  folder: string,
  stats: BigIntStats,
  problems: Problems,
): Promise<ManifestListing | undefined> {
  const names = (await readdir(folder)).filter((name) => MANIFEST.test(name)).sort()
  if (names.length > MAX_FILES) {
    problems.add(shownPath(folder), `holds more than ${MAX_FILES} manifests`, names.length)
    return undefined
  }
  const files: ManifestFile[] = []
  let bytes = 0n
  for (const name of names) {
    const path = join(folder, name)
    const found = await statFile(path, problems)
    if (found === undefined || found.isDirectory()) continue
    files.push(fileOf(path, found))
    bytes += found.size
  }
  if (bytes > MAX_BYTES) {
    problems.add(
      shownPath(folder),
      `holds more than ${MAX_BYTES} bytes of manifests`,
      Number(bytes),
    )
    return undefined
  }
  const signature = files.map((file) => `${file.path} ${file.signature}`).join('\n')
  return { files, folder, folderId: idOf(stats), signature }
}

/** Undefined for a file that is gone by now, and for a link that leads nowhere, which is a problem. */
async function statFile(path: string, problems: Problems): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true })
  } catch (error) {
    if (await exists(path)) problems.add(shownPath(path), whyUnreadable(error))
    return undefined
  }
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  )
}

/** ctime changes with every write and cannot be set back, as mtime can. */
function fileOf(path: string, stats: BigIntStats): ManifestFile {
  const signature = [idOf(stats), stats.size, stats.mtimeNs, stats.ctimeNs].join(' ')
  return { path, shown: shownPath(path), signature }
}

/** The time of birth too: the number of a folder that was removed is soon another's. */
function idOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`
}
