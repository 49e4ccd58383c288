import { totalBytes } from '../../buffers.ts';

/** Less is not worth keeping. */
const SMALLEST = 4096;

/**
 * Memory in which the parts of a value are put together: the client sends one buffer per value. Memory that was used
 * before is half the price of new memory, and pages of a model are all of one length.
 */
export class Staging {
  readonly #most: number;
  /** The one that was used last is the last. */
  readonly #free: Buffer[] = [];
  #freeBytes = 0;

  /** @param most bytes that are kept for later, at most */
  constructor(most: number) {
    this.#most = most;
  }

  /** The parts in one piece, which is the caller's until {@link giveBack}. */
  gather(parts: readonly Uint8Array[]): Buffer {
    const bytes = totalBytes(parts);
    const value = this.#take(bytes);
    let at = 0;
    for (const part of parts) {
      value.set(part, at);
      at += part.byteLength;
    }
    return value;
  }

  /** Only when nobody reads from it any more. */
  giveBack(value: Buffer): void {
    if (value.byteLength < SMALLEST || value.byteLength > this.#most) return;
    this.#free.push(value);
    this.#freeBytes += value.byteLength;
    while (this.#freeBytes > this.#most) this.#freeBytes -= this.#free.shift()?.byteLength ?? 0;
  }

  #take(bytes: number): Buffer {
    const at = this.#free.findLastIndex(({ byteLength }) => byteLength === bytes);
    // Not from the pool of small buffers, whose memory is shared.
    if (at < 0) return Buffer.allocUnsafeSlow(bytes);
    const [value] = this.#free.splice(at, 1);
    this.#freeBytes -= bytes;
    return value!;
  }
}
