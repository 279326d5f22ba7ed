// The resources of manifest files, read again only where a file has changed: an edit of one among a thousand must not
// hold up the connections that this process carries meanwhile. So it also pauses after every few resources.
//
// A file without a word in it is refused: it is most likely about to be written. Whoever means it puts a comment there.

import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { readManifest } from '../../api/manifest.ts'
import type { AnyResource } from '../../api/resources.ts'
import { type Problem, Problems } from '../../lib/problems.ts'
import { readTextFile } from '../../lib/text-file.ts'
import type { ManifestFile } from './manifest-listing.ts'

/** Four times what a ConfigMap can hold. */
const MAX_FILE_BYTES = 4 * 1_048_576
/** About two milliseconds' work. */
const RESOURCES_AT_ONCE = 16

interface Entry {
  readonly signature: string
  readonly digest: string
  readonly resources: readonly AnyResource[]
  readonly problems: readonly Problem[]
}

export class ManifestCache {
  #entries: ReadonlyMap<string, Entry> = new Map()
  readonly #doubtful: Set<string> = new Set()

  /** Says that files of this name changed, whatever their signatures say. */
  doubt(name: string): void {
    this.#doubtful.add(name)
  }

  /** All resources of the files, in order, and a digest of their texts. */
  async load(
    files: readonly ManifestFile[],
    problems: Problems,
  ): Promise<{ all: AnyResource[]; digest: string }> {
    const doubtful = new Set(this.#doubtful)
    this.#doubtful.clear()
    const entries = new Map<string, Entry>()
    for (const file of files) {
      const known = doubtful.has(basename(file.path)) ? undefined : this.#entries.get(file.path)
      const fresh = known?.signature === file.signature ? known : await this.#read(file)
      entries.set(file.path, fresh)
      for (const { path, message } of fresh.problems) problems.add(path, message)
    }
    this.#entries = entries
    return {
      all: [...entries.values()].flatMap((entry) => entry.resources),
      digest: [...entries].map(([path, { digest }]) => `${path} ${digest}`).join('\n'),
    }
  }

  async #read({ path, shown, signature }: ManifestFile): Promise<Entry> {
    const problems = new Problems()
    const text = await readTextFile(path, MAX_FILE_BYTES, problems, shown)
    if (text === undefined)
      return { signature: '', digest: '', resources: [], problems: problems.list }
    const digest = createHash('sha256').update(text).digest('hex')
    const known = this.#entries.get(path)
    if (known?.digest === digest) return { ...known, signature }
    const resources: AnyResource[] = []
    if (text.trim() === '')
      problems.add(shown, 'is empty: half-written? A comment says that it is meant')
    for (const resource of readManifest(text, shown, problems)) {
      resources.push(resource)
      if (resources.length % RESOURCES_AT_ONCE === 0) await setImmediate()
    }
    return { signature, digest, resources, problems: problems.list }
  }
}
