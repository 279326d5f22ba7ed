// One folder watched by the kernel (inotify), under whatever name it is found.
//
// A watch can fail to open (the limit on watches is reached) and it stays with a folder that is renamed away, so its
// owner looks for itself every few seconds as well and calls `follow` each time.

import { type FSWatcher, watch } from 'node:fs'

export class FolderWatch {
  readonly #changed: (name: string | null) => void
  #watcher: FSWatcher | undefined
  #folderId = ''

  constructor(changed: (name: string | null) => void) {
    this.#changed = changed
  }

  /** Watches this folder from now on. `folderId` says which one it is, even if another one took its name. */
  follow(folder: string, folderId: string): void {
    if (this.#folderId === folderId) return
    this.close()
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        this.#changed(name)
      })
      // Without a listener the error would end the process.
      watcher.on('error', () => {
        this.close()
      })
      this.#watcher = watcher
      this.#folderId = folderId
    } catch {
      // No watch to be had: the owner's own looks must do, and the next one tries again.
    }
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
    this.#folderId = ''
  }
}
