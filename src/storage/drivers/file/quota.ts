import { limiter, unlessAborted } from '../../concurrency.ts';
import type { StorageErrorKind } from '../../driver.ts';
import type { FileLimits } from './options.ts';
import type { PageIndex } from './page-index.ts';

/** Others' writes are learned of when this share of the quota was written here. */
const SCAN_EVERY = 1 / 16;

/** What the quota needs done. */
export interface Shelf {
  /** Brings the index up to date, and tells what other processes are writing at this moment, in bytes. */
  scan(): Promise<number>;
  /** Removes a page; false where it could not be. */
  evict(key: string): Promise<boolean>;
  freeDiskBytes(): Promise<number>;
}

/** There is no room for a value. */
export class NoRoom extends Error {
  readonly kind: StorageErrorKind;

  constructor(kind: 'full' | 'size', message: string) {
    super(message);
    this.kind = kind;
  }
}

/**
 * Keeps the pages, with those being written, within the quota, and the disk from filling up. Whoever writes reserves
 * first; where there is no room, the least recently used pages go, one caller's eviction at a time.
 */
export class Quota {
  readonly #limits: FileLimits;
  readonly #index: PageIndex;
  readonly #shelf: Shelf;
  readonly #alone = limiter(1);
  #reserved = 0;
  #others = 0;
  #writtenSinceScan = 0;
  #stuck = 0;

  constructor(limits: FileLimits, index: PageIndex, shelf: Shelf) {
    this.#limits = limits;
    this.#index = index;
    this.#shelf = shelf;
  }

  /** Pages, and what is being written. */
  get usedBytes(): number {
    return this.#index.usedBytes + this.#reserved + this.#others;
  }

  /** Pages that the last eviction could not remove. */
  get stuckPages(): number {
    return this.#stuck;
  }

  /** Scans, and removes what is beyond the quota. Throws only what the scan throws. */
  enforce(): Promise<void> {
    return this.#alone(async () => {
      await this.#scan();
      await this.#evict(this.#beyondQuota(0));
    });
  }

  /**
   * Runs a write within room of its own. Throws {@link NoRoom}, the signal's reason, or what the write throws.
   *
   * @param write answers whether it wrote the page, which then stands in the index
   */
  async withRoom(
    key: string,
    bytes: number,
    signal: AbortSignal,
    write: () => Promise<boolean>,
  ): Promise<boolean> {
    const { maxBytes } = this.#limits;
    if (bytes > maxBytes) throw new NoRoom('size', `The value is larger than max_size (${maxBytes} bytes).`);
    await this.#reserve(bytes, signal);
    try {
      const written = await write();
      if (written) {
        this.#index.put(key, bytes);
        this.#writtenSinceScan += bytes;
      }
      return written;
    } finally {
      this.#reserved -= bytes;
    }
  }

  async #reserve(bytes: number, signal: AbortSignal): Promise<void> {
    if (!this.#scanIsDue && (await this.#take(bytes, signal))) return;
    // A caller that leaves while it waits here takes nothing: the signal is looked at wherever room is taken.
    await unlessAborted(
      this.#alone(async () => {
        signal.throwIfAborted();
        if (!this.#scanIsDue && (await this.#take(bytes, signal))) return;
        await this.#scan();
        if (await this.#take(bytes, signal)) return;
        await this.#makeRoom(bytes, signal);
        if (await this.#take(bytes, signal)) return;
        throw new NoRoom('full', 'There is no room, and nothing more could be removed.');
      }),
      signal,
    );
  }

  get #scanIsDue(): boolean {
    return this.#writtenSinceScan >= SCAN_EVERY * this.#limits.maxBytes;
  }

  async #take(bytes: number, signal: AbortSignal): Promise<boolean> {
    const beyondDisk = await this.#beyondDisk(bytes);
    signal.throwIfAborted();
    if (beyondDisk > 0 || this.#beyondQuota(bytes) > 0) return false;
    this.#reserved += bytes;
    return true;
  }

  async #makeRoom(bytes: number, signal: AbortSignal): Promise<void> {
    const beyondDisk = await this.#beyondDisk(bytes);
    signal.throwIfAborted();
    // Others have filled the disk: to remove every page here would not help.
    if (beyondDisk > this.#index.usedBytes) return;
    await this.#evict(Math.max(beyondDisk, this.#beyondQuota(bytes), this.#limits.evictionBytes));
  }

  #beyondQuota(bytes: number): number {
    return this.usedBytes + bytes - this.#limits.maxBytes;
  }

  async #beyondDisk(bytes: number): Promise<number> {
    return this.#limits.minFreeBytes + this.#reserved + bytes - (await this.#shelf.freeDiskBytes());
  }

  async #scan(): Promise<void> {
    this.#writtenSinceScan = 0;
    this.#others = await this.#shelf.scan();
  }

  /** One pass over the pages: one that cannot be removed is counted and passed over. */
  async #evict(bytes: number): Promise<void> {
    if (bytes <= 0) return;
    let freed = 0;
    this.#stuck = 0;
    for (const key of this.#index.oldestFirst()) {
      if (freed >= bytes) return;
      const size = this.#index.bytesOf(key) ?? 0;
      if (await this.#shelf.evict(key)) freed += size;
      else this.#stuck++;
    }
  }
}
