interface Waiting {
  bytes: number;
  enter: () => void;
}

/**
 * Lets so many bytes be under way at a time, in the order of who comes. More than that is no faster; and while a server
 * hangs, no more than that is kept for it.
 */
export class Window {
  readonly #size: number;
  readonly #waiting = new Set<Waiting>();
  #used = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Runs the work when there is room. What has more bytes than the window is alone in it. */
  async run<T>(bytes: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const weight = Math.min(bytes, this.#size);
    if (this.#waiting.size > 0 || this.#used + weight > this.#size) await this.#turn(weight, signal);
    else this.#used += weight;
    try {
      return await work();
    } finally {
      this.#used -= weight;
      this.#admit();
    }
  }

  #turn(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
        this.#admit();
      };
      const waiting = {
        bytes,
        enter: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.add(waiting);
    });
  }

  #admit(): void {
    for (const waiting of this.#waiting) {
      if (this.#used + waiting.bytes > this.#size) return;
      this.#used += waiting.bytes;
      this.#waiting.delete(waiting);
      waiting.enter();
    }
  }
}
