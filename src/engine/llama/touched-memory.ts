import { alignedMemory } from '../../shared/aligned-memory.ts';
import type { PageMemory } from '../engine.ts';
import { libc } from './load.ts';

/**
 * Ordinary memory. The system backs it when it is first touched, which takes several times as long as a copy does: where
 * that was measured pages were written at 1.2 GB/s for the first time, and at 9 from then on.
 */
export class TouchedMemory implements PageMemory {
  /** Some long prompts after a restart. A server at rest is not to take all that it may, nor to work between requests. */
  readonly aheadBytes = 256 * 2 ** 20;
  readonly #fill = libc().func('void *memset(void *memory, int value, size_t bytes)');

  allocate(bytes: number): ArrayBuffer | undefined {
    return alignedMemory(bytes);
  }

  allocateAhead(bytes: number): Promise<ArrayBuffer | undefined> {
    const memory = alignedMemory(bytes);
    if (!memory) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#fill.async(new Uint8Array(memory), 0, bytes, (error: Error | null) =>
        resolve(error ? undefined : memory),
      );
    });
  }
}
