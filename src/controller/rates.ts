/** The share of what was measured before that stays in an estimate beside a new measurement. */
const MEMORY = 0.9;
/** After so many refusals one more try is made: what was slow may be quick by now. */
const TRY_AGAIN = 32;

/** A running estimate of how quickly tokens come, by computing or from a tier. */
export class Rate {
  #tokens = 0;
  #milliseconds = 0;

  measured(tokens: number, milliseconds: number): void {
    this.#tokens = this.#tokens * MEMORY + tokens;
    this.#milliseconds = this.#milliseconds * MEMORY + milliseconds;
  }

  /** What was measured says nothing of now. */
  forget(): void {
    this.#tokens = 0;
    this.#milliseconds = 0;
  }

  /** Tokens per millisecond; undefined before the first measurement. */
  get value(): number | undefined {
    return this.#tokens + this.#milliseconds === 0 ? undefined : this.#tokens / this.#milliseconds;
  }
}

/** Whether a tier is worth asking: only where it is faster than computing. What is not known yet is tried. */
export class Worth {
  readonly rate = new Rate();
  readonly #compute: Rate;
  #refusals = 0;

  constructor(compute: Rate) {
    this.#compute = compute;
  }

  /** Counts what it refuses, to try again now and then. */
  ask(): boolean {
    const [own, compute] = [this.rate.value, this.#compute.value];
    if (own === undefined || compute === undefined || own > compute) return true;
    this.#refusals = (this.#refusals + 1) % TRY_AGAIN;
    return this.#refusals === 0;
  }
}
