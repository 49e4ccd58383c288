import type { Backups } from '../controller/backups.ts';
import type { StorageLink } from '../controller/storage-link.ts';
import { Backfill } from './backfill.ts';
import type { Fetches } from './fetches.ts';
import type { HostTier } from './host-tier.ts';
import type { Prefix } from './prefix.ts';
import type { RadixTree } from './radix-tree.ts';
import type { Arrival } from './request-cache.ts';

interface StorageTierParts {
  tree: RadixTree;
  host: HostTier;
  fetches: Fetches;
  /** Makes what writes to a backend, and calls back whenever it has nothing left to write. */
  backupsTo: (link: StorageLink, onIdle: () => void) => Backups;
  /** Something that a waiting request or operation waits for has happened. */
  onProgress: () => void;
}

/** L3: the storage backend that is in use, if there is one. */
export class StorageTier {
  readonly #parts: StorageTierParts;
  #link: StorageLink | undefined;
  #backups: Backups | undefined;
  #backfill: Backfill | undefined;

  constructor(parts: StorageTierParts) {
    this.#parts = parts;
    parts.host.onBackup = (keys, slots) => this.#backups?.add(keys, slots);
    parts.host.onTailBackup = (key, tokens, slot) => this.#backups?.addTail(key, tokens, slot);
  }

  /**
   * Whether pages are on their way to or from it. Those that wait for room are not, and those that nobody waits for, of
   * {@link use}, do not count.
   */
  get busy(): boolean {
    return this.#parts.fetches.busy || this.inFlight.backup + this.queued > 0;
  }

  get inFlight(): { prefetch: number; backup: number } {
    return { prefetch: this.#parts.fetches.inFlight, backup: this.#backups?.inFlight ?? 0 };
  }

  /** Pages that wait to be written. */
  get queued(): number {
    return this.#backups?.queued ?? 0;
  }

  /** Whether what L2 held when the backend was attached is still being written to it. */
  get backfilling(): boolean {
    return this.#backfill?.running ?? false;
  }

  /**
   * Reads from and writes to this backend from now on. Of the one before nothing is asked any more: what waits to be
   * written to it is dropped, whoever waits to read from it computes; what is being written goes on until its link ends.
   *
   * @param backfill whether what L2 holds is written to it
   */
  use(link: StorageLink | undefined, backfill: boolean): void {
    const { tree, fetches, backupsTo, onProgress } = this.#parts;
    this.#backfill?.stop();
    this.#backups?.stop();
    this.#link = link;
    this.#backups = link && backupsTo(link, onProgress);
    this.#backfill = undefined;
    fetches.use(link);
    if (!link || !backfill) return;
    const backups = backupsTo(link, () => started.next());
    const started = new Backfill(tree, backups, (key) => link.knows(key));
    this.#backfill = started;
    started.next();
  }

  /** Everything may be gone from the store: what is used again is written again. */
  forgetStored(): void {
    this.#link?.unlearnAll();
  }

  /** The backend was away and is back: how slow it was before must keep nobody from asking it. */
  recovered(): void {
    this.#parts.fetches.forgetSpeed();
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
