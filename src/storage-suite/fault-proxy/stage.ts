import type { Effect, Item } from './effects.ts';

/** One toxic on its place in one direction of a connection: takes data in order, one after the other. */
export class Stage {
  readonly #effect: Effect;
  readonly #pass: (item: Item) => void;
  readonly #controller: AbortController;
  readonly #taken: () => void;
  readonly #queue: { item: Item; arrived: number }[] = [];
  #isWorking = false;
  #work: Promise<void> | undefined;
  #isDestroyed = false;
  /** That wait here. */
  bytes = 0;

  /**
   * @param pass takes data past the effect, when the toxic is removed
   * @param controller what the effect waits with
   * @param taken told when something does not wait here any more
   */
  constructor(effect: Effect, pass: (item: Item) => void, controller: AbortController, taken: () => void) {
    this.#effect = effect;
    this.#pass = pass;
    this.#controller = controller;
    this.#taken = taken;
    effect.begin?.();
  }

  push(item: Item): void {
    if (this.#isDestroyed) return;
    this.#queue.push({ item, arrived: performance.now() });
    this.bytes += bytesOf(item);
    if (this.#isWorking) return;
    this.#isWorking = true;
    this.#work = this.#takeAll();
  }

  /** Ends the effect, and resolves when everything that was held has gone on. */
  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#work;
    this.#effect.removed?.();
  }

  /** Ends the effect, and forgets what was held. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#queue.length = 0;
    this.#controller.abort();
  }

  async #takeAll(): Promise<void> {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const { item, arrived } = next;
      if (this.#controller.signal.aborted) this.#pass(item);
      else if (typeof item === 'string') await this.#effect.end(item, arrived);
      else await this.#effect.data(item, arrived);
      this.bytes -= bytesOf(item);
      this.#taken();
    }
    this.#isWorking = false;
  }
}

function bytesOf(item: Item): number {
  return typeof item === 'string' ? 0 : item.byteLength;
}
