/** Gathers which pages came and went, so that one step's changes leave as one message. */
export class PageEvents {
  readonly #send: (stored: string[], removed: string[]) => void;
  /** What is true of a page after all changes so far. */
  readonly #held = new Map<string, boolean>();

  constructor(send: (stored: string[], removed: string[]) => void) {
    this.#send = send;
  }

  stored = (keys: readonly string[]): void => this.#note(keys, true);
  removed = (keys: readonly string[]): void => this.#note(keys, false);

  #note(keys: readonly string[], held: boolean): void {
    if (this.#held.size === 0) queueMicrotask(() => this.#flush());
    for (const key of keys) this.#held.set(key, held);
  }

  #flush(): void {
    const stored: string[] = [];
    const removed: string[] = [];
    for (const [key, held] of this.#held) (held ? stored : removed).push(key);
    this.#held.clear();
    this.#send(stored, removed);
  }
}
