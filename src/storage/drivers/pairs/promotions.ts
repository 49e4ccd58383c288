import { gather, totalBytes } from '../../buffers.ts';
import { keyedLock } from '../../concurrency.ts';
import type { Child } from './child.ts';

/** Bytes that wait to be written: what comes beyond that is written another time. */
const MOST_WAITING = 64 << 20;

/**
 * What is written to a store that nobody waits for. Values are copied, since their buffers are the callers' and the
 * callers have left by then.
 */
export class Promotions {
  readonly #child: Child;
  readonly #closing: AbortSignal;
  /** So that the value that was stored last is there in the end. */
  readonly #inTurn = keyedLock();
  readonly #waiting = new Map<string, Set<Promise<void>>>();
  /** Of the reads that go on: keys that were changed since they began. */
  readonly #changed = new Set<Set<string>>();
  readonly #changing = new Set<readonly string[]>();
  #bytes = 0;

  /** @param closing ends what is not written yet */
  constructor(child: Child, closing: AbortSignal) {
    this.#child = child;
    this.#closing = closing;
  }

  /** Whether something is being written for a key: what is there may be older. */
  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** Begins to write a copy. False where too much waits already. */
  add(key: string, parts: readonly Uint8Array[]): boolean {
    const bytes = totalBytes(parts);
    if (this.#bytes + bytes > MOST_WAITING || this.#closing.aborted) return false;
    const value = Buffer.allocUnsafeSlow(bytes);
    gather(parts, value);
    this.#bytes += bytes;
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting);
    const work = this.#inTurn(key, () => this.#write(key, value)).finally(() => {
      this.#bytes -= bytes;
      waiting.delete(work);
      if (waiting.size === 0) this.#waiting.delete(key);
    });
    waiting.add(work);
    return true;
  }

  /** Resolves when nothing is being written for some keys any more; for all keys where none are named. */
  async settled(keys: Iterable<string> = this.#waiting.keys()): Promise<void> {
    await Promise.all([...keys].flatMap((key) => [...(this.#waiting.get(key) ?? [])]));
  }

  /** Keys that are being changed, now or from now on, until it is {@link forget}ten: what was read of them must not be added. */
  watch(): Set<string> {
    const changed = new Set([...this.#changing].flat());
    this.#changed.add(changed);
    return changed;
  }

  forget(watched: Set<string>): void {
    this.#changed.delete(watched);
  }

  /** Keys are being changed until the work is done: what is read of them meanwhile may be the old value. */
  async changing<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const changed of this.#changed) for (const key of keys) changed.add(key);
    this.#changing.add(keys);
    try {
      return await work();
    } finally {
      this.#changing.delete(keys);
    }
  }

  async #write(key: string, value: Buffer): Promise<void> {
    const { driver } = this.#child;
    const write = () => {
      const answers = this.#child.heard(driver.write([{ key, parts: [value] }], this.#closing));
      void answers.then(() => this.#child.lend(value.byteLength, answers));
      return answers;
    };
    const [result] = await write();
    if (result?.status === 'stored') return;
    // What is there may be an older value of the same length.
    await driver.remove([key], this.#closing);
    if (result?.status === 'exists') await write();
  }
}
