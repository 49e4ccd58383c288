/** The window in so many steps: what is older than the window leaves step by step. */
const STEPS = 10;

interface Step {
  number: number;
  calls: number;
  failed: number;
}

/** How many calls of the last while failed, in little memory however many there were. */
export class RecentCalls {
  readonly #stepMs: number;
  #steps: Step[] = [];

  constructor(windowMs: number) {
    this.#stepMs = windowMs / STEPS;
  }

  add(failed: boolean, now: number): void {
    const number = Math.floor(now / this.#stepMs);
    let last = this.#steps.at(-1);
    if (last?.number !== number) {
      last = { number, calls: 0, failed: 0 };
      this.#steps = [...this.#steps.filter((step) => step.number > number - STEPS), last];
    }
    last.calls++;
    if (failed) last.failed++;
  }

  tally(now: number): { calls: number; failed: number } {
    const oldest = Math.floor(now / this.#stepMs) - STEPS;
    const sum = { calls: 0, failed: 0 };
    for (const { number, calls, failed } of this.#steps) {
      if (number <= oldest) continue;
      sum.calls += calls;
      sum.failed += failed;
    }
    return sum;
  }

  clear(): void {
    this.#steps = [];
  }
}
