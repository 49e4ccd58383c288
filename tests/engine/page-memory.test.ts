import v8 from 'node:v8';
import vm from 'node:vm';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { findLibrary } from '../../src/engine/llama/library.ts';
import { loadLibrary } from '../../src/engine/llama/load.ts';
import { pageMemory } from '../../src/engine/llama/page-memory.ts';
import { PinnedMemory } from '../../src/engine/llama/pinned-memory.ts';
import type { Pointer } from '../../src/engine/llama/structs.ts';
import { TouchedMemory } from '../../src/engine/llama/touched-memory.ts';

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;

/** Memory of the system in the place of a GPU's; what is freed, is. */
function library({ refuses = false, fails = false } = {}) {
  const freed: Pointer[] = [];
  const allocated: Pointer[] = [];
  const allocate = (_: Pointer, bytes: number) => {
    if (refuses) return null;
    const pointer = koffi.alloc('uint8', bytes) as Pointer;
    allocated.push(pointer);
    return pointer;
  };
  type Callback = (error: Error | null, result: Pointer | null) => void;
  return {
    freed,
    allocated,
    functions: {
      ggml_backend_buft_alloc_buffer: Object.assign(allocate, {
        async: (type: Pointer, bytes: number, callback: Callback) =>
          setImmediate(() =>
            fails ? callback(new Error('made by the test'), null) : callback(null, allocate(type, bytes)),
          ),
      }),
      ggml_backend_buffer_get_base: (buffer: Pointer) => buffer,
      ggml_backend_buffer_free: (buffer: Pointer) => {
        freed.push(buffer);
        koffi.free(buffer);
      },
    },
  };
}

describe('page-locked memory', () => {
  it('is memory of the library, allocated at once or on another thread', async () => {
    const { functions } = library();
    const pinned = new PinnedMemory(functions, 1n);
    for (const memory of [pinned.allocate(1000), await pinned.allocateAhead(1000)]) {
      const bytes = new Uint8Array(memory!);
      bytes.fill(7);
      expect([bytes.length, bytes.every((byte) => byte === 7)]).toEqual([1000, true]);
    }
  });

  it('is freed when nobody reads it any more, and not before', async () => {
    const { functions, freed, allocated } = library();
    const pinned = new PinnedMemory(functions, 1n);
    const page = new Uint8Array(pinned.allocate(1000)!, 100, 10);
    pinned.allocate(1000);
    await expect
      .poll(() => {
        collectGarbage();
        return freed;
      })
      .toEqual([allocated[1]]);
    expect(page.fill(1)[9]).toBe(1);
  });

  it('is nothing where the library has none or the call fails', async () => {
    const refusing = new PinnedMemory(library({ refuses: true }).functions, 1n);
    expect([refusing.allocate(8), await refusing.allocateAhead(8)]).toEqual([undefined, undefined]);
    const failing = new PinnedMemory(library({ fails: true }).functions, 1n);
    expect(await failing.allocateAhead(8)).toBeUndefined();
  });
});

describe('memory that is touched before it is needed', () => {
  it('is what a CPU takes', () => {
    const llama = loadLibrary(findLibrary('off'));
    expect(pageMemory(llama, { gpu: 'off', gpuLayers: 0 })).toBeInstanceOf(TouchedMemory);
  });

  it('has the system behind it when it comes, and not before', async () => {
    const bytes = 64 * 2 ** 20;
    const touched = new TouchedMemory();
    const before = process.memoryUsage.rss();
    const later = touched.allocate(bytes)!;
    const untouched = process.memoryUsage.rss() - before;
    const ready = (await touched.allocateAhead(bytes))!;
    const after = process.memoryUsage.rss() - before - untouched;
    expect([later.byteLength, ready.byteLength]).toEqual([bytes, bytes]);
    expect(untouched).toBeLessThan(bytes / 4);
    expect(after).toBeGreaterThan((bytes * 3) / 4);
  });

  it('is nothing where there is none', async () => {
    const touched = new TouchedMemory();
    const tooMuch = Number.MAX_SAFE_INTEGER;
    expect([touched.allocate(tooMuch), await touched.allocateAhead(tooMuch)]).toEqual([undefined, undefined]);
  });
});
