// Discovery from manifest files: a file or a folder, read at start and again whenever it changes.
//
// A change is a new state as a whole or not at all: with any problem in any file the last good state stays in force.
// Files are read when they have been left alone for a moment, so that one that is being written is not taken for what
// it will be. The kernel tells of changes; a look every few seconds catches what it does not tell (a folder that was
// replaced, network file systems). A file gone from a folder takes its resources along; but a path that vanished, a
// folder that holds no manifest any more and an empty file are problems: a state of nothing is only taken from a
// file with a comment in it.

import { collectResources } from '../../api/resource-set.ts'
import type { Resources } from '../../api/resources.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import { Problems } from '../../lib/problems.ts'
import { FolderWatch } from './folder-watch.ts'
import { ManifestCache } from './manifest-cache.ts'
import { listManifests, type ManifestListing, shownPath } from './manifest-listing.ts'

/** Who is told; must not throw. */
export interface FileSourceListener {
  /** A good new state, and what looks odd in it. */
  changed(resources: Resources, warnings: Problems): void
  /** The files are not good: the last state stays in force. Told once for the same problems. */
  refused(problems: Problems): void
}

/** Files are read when nothing happened to them for so long. */
export const SETTLE: Millis = 100
/** They are read after so long even if something keeps happening. */
export const MAX_SETTLE: Millis = 2000
/** How often to look without having been told. */
export const POLL: Millis = 3000
/** How often to read again because something changed meanwhile, before it is a problem. */
const MAX_ATTEMPTS = 10

/** What was found in one reading. */
interface Look {
  /** Equal for two looks with the same outcome. */
  readonly outcome: string
  readonly resources: Resources
  readonly problems: Problems
  readonly warnings: Problems
}

export class FileSource {
  readonly #path: string
  readonly #clock: Clock
  readonly #listener: FileSourceListener
  readonly #cache: ManifestCache = new ManifestCache()
  readonly #watch: FolderWatch
  #poll: Timer | undefined
  #settling: { readonly timer: Timer; readonly latest: Millis } | undefined
  /** What is under way; one thing at a time. */
  #busy: Promise<void> | undefined
  /** Something happened meanwhile, or before the start was over. */
  #stirred = false
  #attempts = 0
  #closed = false
  /** The signature of what was read last, and what the listener was told last. */
  #seen = ''
  #told = ''

  constructor(path: string, clock: Clock, listener: FileSourceListener) {
    this.#path = path
    this.#clock = clock
    this.#listener = listener
    this.#watch = new FolderWatch((name) => {
      this.#happened(name)
    })
  }

  /**
   * Reads the files and begins to watch. The first good state is told before the promise resolves; problems are given
   * back instead of told, and then nothing is watched.
   */
  async start(): Promise<Problems> {
    let look: Look | undefined
    while (look === undefined) look = await this.#look()
    if (look.problems.any) {
      await this.close()
      return look.problems
    }
    this.#tell(look)
    if (this.#closed) return look.problems
    this.#poll = this.#clock.every(POLL, () => {
      if (this.#settling === undefined) this.#run(() => this.#lookAround())
    })
    this.#stirAgain()
    return look.problems
  }

  /** Stops watching; resolves when nothing is under way any more. Nothing is told after the call. */
  async close(): Promise<void> {
    this.#closed = true
    this.#poll?.cancel()
    this.#settling?.timer.cancel()
    this.#settling = undefined
    this.#watch.close()
    await this.#busy
  }

  /** The kernel says that something happened to `name` in the watched folder. */
  #happened(name: string | null): void {
    if (name !== null) this.#cache.doubt(name)
    this.#stir()
  }

  /** Reads when the files have been left alone for a moment, counted from now. */
  #stir(): void {
    if (this.#closed) return
    if (this.#busy !== undefined || this.#poll === undefined) {
      this.#stirred = true
      return
    }
    const now = this.#clock.now()
    const latest = this.#settling?.latest ?? now + MAX_SETTLE
    this.#settling?.timer.cancel()
    const timer = this.#clock.after(Math.min(SETTLE, Math.max(0, latest - now)), () => {
      this.#settling = undefined
      this.#run(() => this.#read())
    })
    this.#settling = { timer, latest }
  }

  #run(task: () => Promise<void>): void {
    if (this.#busy !== undefined || this.#closed) return
    this.#busy = task()
      .catch((error: unknown) => {
        this.#fail(error)
      })
      .then(() => {
        this.#busy = undefined
        this.#stirAgain()
      })
  }

  /** Makes up for what happened while something was under way. */
  #stirAgain(): void {
    if (!this.#stirred) return
    this.#stirred = false
    this.#stir()
  }

  async #read(): Promise<void> {
    const look = await this.#look()
    if (look === undefined) this.#stirred = true
    else this.#tell(look)
  }

  /** Whether something changed of which the kernel did not tell. */
  async #lookAround(): Promise<void> {
    const problems = new Problems()
    const listing = await listManifests(this.#path, problems)
    if (signatureOf(listing, problems) !== this.#seen) this.#stirred = true
  }

  /** Reads everything; undefined if something changed meanwhile, so that it may be half of one and half of another. */
  async #look(): Promise<Look | undefined> {
    const problems = new Problems()
    const warnings = new Problems()
    const listing = await listManifests(this.#path, problems)
    const signature = signatureOf(listing, problems)
    if (listing !== undefined && !this.#closed) this.#watch.follow(listing.folder, listing.folderId)
    if (listing?.files.length === 0) {
      problems.add(shownPath(this.#path), 'holds no manifest (*.yaml, *.yml, *.json)')
    }
    const { all, digest } = await this.#cache.load(listing?.files ?? [], problems)
    const again = new Problems()
    if (signatureOf(await listManifests(this.#path, again), again) !== signature) {
      this.#attempts += 1
      if (this.#attempts < MAX_ATTEMPTS) return undefined
      problems.add(shownPath(this.#path), 'changes faster than it can be read')
    }
    this.#attempts = 0
    this.#seen = signature
    const resources = collectResources(all, problems, warnings)
    const outcome = problems.any ? `refused ${problems.toString()}` : `changed ${digest}`
    return { outcome, resources, problems, warnings }
  }

  #tell({ outcome, resources, problems, warnings }: Look): void {
    if (this.#closed || outcome === this.#told) return
    this.#told = outcome
    if (problems.any) this.#listener.refused(problems)
    else this.#listener.changed(resources, warnings)
  }

  /** A defect, ours or the listener's: the last state stays in force, as with any other problem. */
  #fail(error: unknown): void {
    if (this.#closed) return
    const problems = new Problems()
    const reason = error instanceof Error ? error.message : String(error)
    problems.add(shownPath(this.#path), `could not be taken over: ${reason}`)
    this.#told = ''
    this.#listener.refused(problems)
  }
}

function signatureOf(listing: ManifestListing | undefined, problems: Problems): string {
  return [listing?.folderId, listing?.signature, problems.toString()].join('\n')
}
