import type { Backups } from '../controller/backups.ts';
import type { StorageLink } from '../controller/storage-link.ts';
import type { Fetches } from './fetches.ts';
import type { HostTier } from './host-tier.ts';
import type { Prefix } from './prefix.ts';
import { nodesBelow, type RadixTree } from './radix-tree.ts';
import type { Arrival } from './request-cache.ts';

interface StorageTierParts {
  tree: RadixTree;
  host: HostTier;
  fetches: Fetches;
  /** Makes what writes to a backend. */
  backupsTo: (link: StorageLink) => Backups;
}

/** L3: the storage backend that is in use, if there is one. */
export class StorageTier {
  readonly #parts: StorageTierParts;
  #link: StorageLink | undefined;
  #backups: Backups | undefined;

  constructor(parts: StorageTierParts) {
    this.#parts = parts;
    parts.host.onBackup = (keys, slots) => this.#backups?.add(keys, slots);
  }

  /** Whether pages are on their way to or from it. */
  get busy(): boolean {
    const backups = this.#backups;
    return this.inFlight.prefetch > 0 || (backups !== undefined && backups.queued + backups.inFlight > 0);
  }

  get inFlight(): { prefetch: number; backup: number } {
    return { prefetch: this.#parts.fetches.inFlight, backup: this.#backups?.inFlight ?? 0 };
  }

  /** Pages that wait to be written. */
  get queued(): number {
    return this.#backups?.queued ?? 0;
  }

  /** Reads from and writes to this backend from now on; what L2 holds is offered to it. */
  use(link: StorageLink | undefined): void {
    const { tree, fetches, backupsTo } = this.#parts;
    this.#link?.end();
    this.#backups?.stop();
    this.#link = link;
    this.#backups = link && backupsTo(link);
    fetches.use(link);
    for (const [, root] of tree.roots) {
      for (const { keys, slots } of nodesBelow(root)) if (slots) this.#backups?.add(keys, slots);
    }
  }

  expect(prefix: Prefix): Arrival {
    return this.#parts.fetches.expect(prefix);
  }

  /** Takes in what has arrived; to be called between two steps. */
  takeIn(): void {
    this.#parts.fetches.takeIn();
  }

  /** Lets go of what is kept for requests that wait. */
  unlockAll(): void {
    this.#parts.fetches.unlockAll();
  }
}
