import { limiter, unlessAborted } from '../../concurrency.ts';
import type { StorageErrorKind } from '../../driver.ts';
import type { FileLimits } from './options.ts';
import type { PageIndex } from './page-index.ts';

/** Others' writes are learned of when this share of the quota was written here. */
const SCAN_EVERY = 1 / 16;

/** What the quota needs done. */
export interface Upkeep {
  /** Brings the index up to date, and tells what other processes are writing at this moment, in bytes. */
  scan(): Promise<number>;
  /** Removes a page; false where it could not be. */
  evict(key: string): Promise<boolean>;
  freeDiskBytes(): Promise<number>;
  /** Is told of work that nobody waits for. */
  goesOn(work: Promise<void>): Promise<void>;
}

/** Room for one page, until one of these is called. */
export interface Room {
  /** The page was written: it is in the index now. */
  fill(): void;
  /** Nothing was written, or it is in the index already. */
  release(): void;
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
  readonly #shelf: Upkeep;
  readonly #alone = limiter(1);
  #reserved = 0;
  #others = 0;
  #writtenSinceScan = 0;
  #stuck = 0;

  constructor(limits: FileLimits, index: PageIndex, shelf: Upkeep) {
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

  /** Takes room for a page. Throws {@link NoRoom}, the signal's reason, or the system's error. */
  async reserve(key: string, bytes: number, signal: AbortSignal): Promise<Room> {
    const { maxBytes } = this.#limits;
    if (bytes > maxBytes) throw new NoRoom('size', `The value is larger than max_size (${maxBytes} bytes).`);
    await this.#reserve(bytes, signal);
    let isHeld = true;
    const release = () => {
      if (isHeld) this.#reserved -= bytes;
      isHeld = false;
    };
    const fill = () => {
      release();
      this.#index.put(key, bytes);
      this.#writtenSinceScan += bytes;
      if (this.#writtenSinceScan >= SCAN_EVERY * maxBytes) this.#scanSoon();
    };
    return { fill, release };
  }

  async #reserve(bytes: number, signal: AbortSignal): Promise<void> {
    if (await this.#take(bytes, signal)) return;
    // A caller that leaves while it waits here takes nothing: the signal is looked at wherever room is taken.
    await unlessAborted(
      this.#alone(async () => {
        signal.throwIfAborted();
        if (await this.#take(bytes, signal)) return;
        await this.#scan();
        if (await this.#take(bytes, signal)) return;
        await this.#makeRoom(bytes, signal);
        if (await this.#take(bytes, signal)) return;
        throw new NoRoom('full', 'There is no room, and nothing more could be removed.');
      }),
      signal,
    );
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

  /** Nobody waits for it: the quota is exact for what is written here, and others' writes come a little later. */
  #scanSoon(): void {
    this.#writtenSinceScan = 0;
    void this.#shelf.goesOn(this.#alone(() => this.#scan()));
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
