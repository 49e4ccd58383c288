/** What stands for a value that was removed, in a store that cannot delete. No page is so short. */
const VALUE = 'tierkv: this value was removed';
/** Keys that are remembered: so many bad pages are no accident any more. */
const MOST = 10_000;

/** The keys whose values were overwritten because they cannot be deleted, as far as this process knows. */
export class Removed {
  readonly #keys = new Set<string>();

  static value(): Uint8Array {
    return Buffer.from(VALUE);
  }

  static is(value: Uint8Array): boolean {
    return value.byteLength === VALUE.length && Buffer.from(value).toString('latin1') === VALUE;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  add(key: string): void {
    this.#keys.add(key);
    if (this.#keys.size <= MOST) return;
    // The oldest: whoever asks whether it is there is told so, and reads that it is not.
    for (const oldest of this.#keys) {
      this.#keys.delete(oldest);
      return;
    }
  }

  forget(key: string): void {
    this.#keys.delete(key);
  }
}
