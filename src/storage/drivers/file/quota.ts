import { limiter, unlessAborted } from '../../concurrency.ts';
import type { StorageErrorKind } from '../../driver.ts';
import { Allowance } from './allowance.ts';
import type { Claim } from './claims.ts';
import type { FileLimits } from './options.ts';
import type { PageIndex } from './page-index.ts';
import { LONGEST_USE_MS } from './writer-names.ts';

/** The share of the quota that all writers together claim ahead, as long as that is a page for each. */
const CLAIMED = 1 / 16;
/** A write that begins at its end has as long again before others take the claim for a dead one's. */
const CLAIM_MS = LONGEST_USE_MS / 2;
/** Looks at the others for one page: each but the first because somebody came meanwhile. */
const LOOKS = 3;

/** What the quota needs done. */
export interface Upkeep {
  /** Brings the index up to date, and tells what other processes are writing at this moment, in bytes. */
  scan(): Promise<number>;
  /** Removes a page; false where it could not be. */
  evict(key: string): Promise<boolean>;
  freeDiskBytes(): Promise<number>;
  /** Tells other processes that so many bytes may be written here. Throws the system's error. */
  claim(bytes: number): Promise<Claim>;
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
 *
 * Other processes do the same in the same folder. Each announces a claim, then looks at the claims of the others, then
 * at the pages. Of any two, the one that looked later knows the other's claim, and what was written before it finds on
 * the disk: so whoever looked last knows all that there can be, and keeps that within the quota.
 */
export class Quota {
  readonly #limits: FileLimits;
  readonly #index: PageIndex;
  readonly #shelf: Upkeep;
  readonly #alone = limiter(1);
  /** Announced and not withdrawn: the one in use, and for a moment the one before. */
  readonly #claims = new Set<Claim>();
  /** Absent while the others must be looked at first. */
  #allowance: Allowance | undefined;
  #reserved = 0;
  /** Of what others are writing, as the last scan found it. */
  #unfinished = 0;
  #otherWriters = 0;
  #stuck = 0;

  constructor(limits: FileLimits, index: PageIndex, shelf: Upkeep) {
    this.#limits = limits;
    this.#index = index;
    this.#shelf = shelf;
  }

  /** Pages, and what is being written. */
  get usedBytes(): number {
    return this.#index.usedBytes + this.#unfinished + this.#reserved;
  }

  /** Whether nobody else wrote when that was looked at last: then the index has all there is, but for what came since. */
  get isAlone(): boolean {
    return this.#allowance?.isAlone ?? false;
  }

  /** Pages that the last eviction could not remove. */
  get stuckPages(): number {
    return this.#stuck;
  }

  /** Scans, and removes what is beyond the quota. Throws only what the scan throws. */
  enforce(): Promise<void> {
    return this.#alone(async () => {
      // There is a namespace in which nothing was claimed yet.
      this.#allowance = undefined;
      this.#unfinished = await this.#shelf.scan();
      await this.#evict(this.#beyondQuota);
    });
  }

  /**
   * Takes room for a page. Throws {@link NoRoom}, the signal's reason, or the system's error.
   *
   * @param whileWritten bytes that its file has until it is in its place
   */
  async reserve(key: string, bytes: number, whileWritten: number, signal: AbortSignal): Promise<Room> {
    const { maxBytes } = this.#limits;
    if (whileWritten > maxBytes)
      throw new NoRoom('size', `The value is larger than max_size (${maxBytes} bytes).`);
    const taken = (await this.#take(whileWritten, signal)) ?? (await this.#takeInTurn(whileWritten, signal));
    const fill = () => {
      taken.end(true);
      this.#index.put(key, bytes);
    };
    return { fill, release: () => taken.end(false) };
  }

  /** To be called when nothing is written any more. Never rejects. */
  close(): Promise<void> {
    this.#allowance = undefined;
    return this.#alone(() => this.#withdrawAllBut(undefined));
  }

  async #takeInTurn(bytes: number, signal: AbortSignal): Promise<Taken> {
    const work = this.#alone(async () => {
      signal.throwIfAborted();
      let taken = await this.#take(bytes, signal);
      for (let looks = 0; !taken && looks < LOOKS && (await this.#look(bytes)); looks++)
        taken = await this.#take(bytes, signal);
      if (taken) return taken;
      throw new NoRoom('full', 'There is no room, and nothing more could be removed.');
    });
    try {
      return await unlessAborted(work, signal);
    } catch (error) {
      // The caller has left; nobody else would give back what comes.
      void work.then(
        (taken) => taken.end(false),
        () => {},
      );
      throw error;
    }
  }

  async #take(bytes: number, signal: AbortSignal): Promise<Taken | undefined> {
    const beyondDisk = await this.#beyondDisk(bytes);
    signal.throwIfAborted();
    const allowance = this.#allowance;
    const written = { beingWritten: this.#reserved, beyondQuota: this.#beyondQuota };
    if (beyondDisk > 0 || !allowance?.take(bytes, written, this.#index.tick())) return undefined;
    this.#reserved += bytes;
    let isHeld = true;
    const end = (isWritten: boolean) => {
      if (!isHeld) return;
      isHeld = false;
      this.#reserved -= bytes;
      if (!isWritten) allowance.giveBack(bytes);
    };
    try {
      const holds = await allowance.holds();
      signal.throwIfAborted();
      if (holds) return { end };
    } catch (error) {
      end(false);
      throw error;
    }
    end(false);
    if (this.#allowance === allowance) this.#allowance = undefined;
    return undefined;
  }

  /**
   * Announces what may be written next, looks at what all others may write, and makes room for both. Whether there is
   * enough for a page of this length. Throws the system's error.
   */
  async #look(bytes: number): Promise<boolean> {
    this.#allowance = undefined;
    const { maxBytes, evictionBytes } = this.#limits;
    const until = this.#index.tick() + CLAIM_MS;
    const pending = this.#reserved;
    const share = Math.floor((CLAIMED * maxBytes) / (1 + this.#otherWriters));
    const claim = await this.#shelf.claim(Math.max(share, pending + bytes));
    this.#claims.add(claim);
    const others = await claim.others(this.#claims);
    this.#otherWriters = others.count;
    await this.#withdrawAllBut(claim);
    this.#unfinished = await this.#shelf.scan();

    const isAlone = others.count === 0;
    // What was begun before may end after others have looked, and then counts for what they left for this claim.
    const claimed = claim.bytes - pending;
    const free = () => maxBytes - this.usedBytes - others.bytes;
    const beyondDisk = await this.#beyondDisk(bytes);
    // Others have filled the disk, or claimed the quota: to remove every page here would not help.
    if (Math.max(beyondDisk, bytes - free()) <= this.#index.usedBytes) {
      const beyond = Math.max(beyondDisk, (isAlone ? bytes : claimed) - free());
      await this.#evict(beyond > 0 ? Math.max(beyond, evictionBytes) : 0);
    }
    const left = Math.min(claimed, free());
    this.#allowance = new Allowance(claim, isAlone, left, until);
    const isEnough = left >= bytes && (await this.#beyondDisk(bytes)) <= 0;
    // A claim of no use would keep the others from writing.
    if (!isEnough && this.#reserved === 0) await this.#withdrawAllBut(undefined);
    return isEnough;
  }

  async #withdrawAllBut(kept: Claim | undefined): Promise<void> {
    if (!kept) this.#allowance = undefined;
    for (const claim of this.#claims) {
      if (claim === kept) continue;
      this.#claims.delete(claim);
      await claim.withdraw();
    }
  }

  get #beyondQuota(): number {
    return this.usedBytes - this.#limits.maxBytes;
  }

  async #beyondDisk(bytes: number): Promise<number> {
    return this.#limits.minFreeBytes + this.#reserved + bytes - (await this.#shelf.freeDiskBytes());
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

interface Taken {
  end(isWritten: boolean): void;
}
