import { statfs, unlink } from 'node:fs/promises';
import { keyedLock, limiter, sharedQuestion } from '../../concurrency.ts';
import { Claim } from './claims.ts';
import { isAbsent } from './file-errors.ts';
import type { PageIndex } from './page-index.ts';
import { pagePath } from './paths.ts';
import type { Upkeep } from './quota.ts';
import { scan } from './scan.ts';
import { UseTimes } from './use-times.ts';

/** Files at a time in a scan. */
const PARALLEL = 8;

/** The files of the namespaces in use, and the index of them: what is done to many of them, or to make room. */
export class Shelf implements Upkeep {
  readonly times: UseTimes;
  /** For whatever puts a page's file in place or away. */
  readonly lock = keyedLock();

  /** On the file system, now. */
  readonly freeDiskBytes = sharedQuestion(() => this.#askFreeDiskBytes());

  readonly #root: string;
  readonly #index: PageIndex;
  readonly #closing: AbortSignal;
  readonly #limit = limiter(PARALLEL);
  readonly #namespaces = new Set<string>();
  readonly #running = new Set<Promise<void>>();

  /** @param closing ends scans and evictions */
  constructor(root: string, index: PageIndex, closing: AbortSignal) {
    this.#root = root;
    this.#index = index;
    this.#closing = closing;
    this.times = new UseTimes(root, index, this.#limit);
  }

  /** Has scans look at a namespace too. */
  addNamespace(namespace: string): void {
    this.#namespaces.add(namespace);
  }

  async scan(): Promise<number> {
    // So that other processes see the uses of this one when they look for what to evict.
    await this.times.write();
    const namespaces = new Set(this.#namespaces);
    const began = this.#index.scanBegins();
    const found = await scan(this.#root, namespaces, this.#limit, this.#closing, began);
    this.#index.scanEnds(began, found, namespaces);
    return found.temporaryBytes;
  }

  claim(bytes: number): Promise<Claim> {
    return Claim.announce(this.#root, this.#namespaces, bytes);
  }

  async evict(key: string): Promise<boolean> {
    this.#closing.throwIfAborted();
    return this.remove(key).then(
      () => true,
      () => false,
    );
  }

  /** Whether the file was there. Throws the system's error; a file that stays is still counted. */
  remove(key: string): Promise<boolean> {
    return this.lock(key, async () => {
      const wasThere = await unlink(pagePath(this.#root, key)).then(
        () => true,
        (error) => {
          if (isAbsent(error)) return false;
          throw error;
        },
      );
      this.#index.drop(key);
      return wasThere;
    });
  }

  async #askFreeDiskBytes(): Promise<number> {
    try {
      const { bavail, bsize } = await statfs(this.#root);
      return bavail * bsize;
    } catch (error) {
      // Removed under it: the write makes it anew.
      if (isAbsent(error)) return Number.POSITIVE_INFINITY;
      throw error;
    }
  }

  /** Only closing ends such work early, and whoever waits for it sees that for himself. */
  goesOn(work: Promise<void>): Promise<void> {
    const done = work.catch(() => {}).finally(() => this.#running.delete(done));
    this.#running.add(done);
    return done;
  }

  /** Ends when nothing goes on any more, and the uses are written down. Never rejects. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
    await this.times.write();
  }
}
