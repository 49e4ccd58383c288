import { type Clock, systemClock } from '../../shared/clock.ts';
import type { StorageDriver } from '../../storage/driver.ts';
import { statStore } from '../../storage/maintenance/stat-store.ts';
import { type ProgressOutput, StatusLine } from '../status-line.ts';
import { amount, duration, speed } from './format.ts';

const EVERY_MS = 200;

interface Done {
  pages: number;
  /** Absent where none are moved. */
  bytes?: number;
}

/** How far work on a store's pages is, on a terminal: pages, bytes, speed, and how long it will take once it is known how many there are. */
export class WorkLine {
  readonly #title: string;
  readonly #line: StatusLine;
  readonly #clock: Clock;
  readonly #began: number;
  readonly #counting = new AbortController();
  #shownAt = Number.NEGATIVE_INFINITY;
  #total: number | undefined;

  constructor(title: string, output: ProgressOutput = process.stderr, clock: Clock = systemClock) {
    this.#title = title;
    this.#line = new StatusLine(output);
    this.#clock = clock;
    this.#began = clock.now();
  }

  /** Counts the pages of the store meanwhile, where somebody sees it. */
  async expect(store: StorageDriver, model?: string): Promise<void> {
    if (!this.#line.isShown) return;
    const { models, problem } = await statStore(store, { clock: this.#clock, signal: this.#counting.signal });
    const wanted = models.filter((counted) => model === undefined || counted.model === model);
    if (problem === null) this.#total = wanted.reduce((sum, { pages }) => sum + pages, 0);
  }

  update({ pages, bytes }: Done): void {
    const now = this.#clock.now();
    if (now < this.#shownAt + EVERY_MS) return;
    this.#shownAt = now;
    const elapsed = now - this.#began;
    const total = this.#total === undefined ? '' : ` of ${this.#total}`;
    const moved = bytes === undefined ? [] : [amount(bytes), speed(bytes, elapsed)];
    this.#line.show([this.#title, `${pages}${total} pages`, ...moved, this.#left(pages, elapsed)]);
  }

  end(): void {
    this.#counting.abort();
    this.#line.clear();
  }

  #left(pages: number, elapsed: number): string {
    if (this.#total === undefined || pages === 0 || pages >= this.#total) return '';
    return `${duration((elapsed / pages) * (this.#total - pages))} left`;
  }
}
