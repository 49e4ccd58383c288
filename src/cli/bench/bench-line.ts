import type { Progress } from '../../bench/measure.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { type ProgressOutput, StatusLine } from '../status-line.ts';

const EVERY_MS = 100;

/** How far a benchmark is, on a terminal. */
export class BenchLine {
  readonly #line: StatusLine;
  readonly #clock: Clock;
  #shownAt = Number.NEGATIVE_INFINITY;

  constructor(output: ProgressOutput = process.stderr, clock: Clock = systemClock) {
    this.#line = new StatusLine(output);
    this.#clock = clock;
  }

  update({ label, round, repeat, done, expected, failed }: Progress): void {
    const now = this.#clock.now();
    if (now < this.#shownAt + EVERY_MS) return;
    this.#shownAt = now;
    const rounds = repeat > 1 ? `round ${round} of ${repeat}` : '';
    const failures = failed > 0 ? `${failed} failed` : '';
    this.#line.show([label, rounds, `${done} of ${expected} requests`, failures]);
  }

  end(): void {
    this.#line.clear();
  }
}
