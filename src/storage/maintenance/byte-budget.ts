/** Memory that work in flight may take together, in bytes. What needs more than all of it has its turn alone. */
export class ByteBudget {
  readonly #most: number;
  readonly #waiting: { bytes: number; begin: () => void }[] = [];
  #used = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get used(): number {
    return this.#used;
  }

  /** Waits for its turn, in the order of the calls. Whoever calls gives back what it took, by the function that it gets. */
  async take(bytes: number): Promise<() => void> {
    if (this.#waiting.length > 0 || !this.#fits(bytes))
      await new Promise<void>((resolve) => this.#waiting.push({ bytes, begin: resolve }));
    else this.#used += bytes;
    return () => {
      this.#used -= bytes;
      this.#admit();
    };
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#most;
  }

  /** Takes for those who wait, so that nobody comes in between. */
  #admit(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used += next.bytes;
      next.begin();
    }
  }
}
