import { utimes } from 'node:fs/promises';
import type { Limiter } from '../../concurrency.ts';
import type { PageIndex } from './page-index.ts';
import { pagePath } from './paths.ts';

/** As many uses may be lost by a kill. */
const BATCH = 1024;

/** Writes when pages were used into their files' times, so that a restart and other servers know the order. */
export class UseTimes {
  readonly #root: string;
  readonly #index: PageIndex;
  readonly #limit: Limiter;
  #writing: Promise<void> = Promise.resolve();

  constructor(root: string, index: PageIndex, limit: Limiter) {
    this.#root = root;
    this.#index = index;
    this.#limit = limit;
  }

  /** Begins to write when enough has come together. */
  writeSometimes(): void {
    if (this.#index.touchedCount >= BATCH) void this.write();
  }

  /** Writes all. Never rejects: a file that is gone or not ours to touch keeps its time. */
  write(): Promise<void> {
    const touched = [...this.#index.takeTouched()];
    const work = touched.map(([key, time]) =>
      this.#limit(() => utimes(pagePath(this.#root, key), time / 1000, time / 1000)),
    );
    this.#writing = Promise.allSettled([this.#writing, ...work]).then(() => {});
    return this.#writing;
  }
}
