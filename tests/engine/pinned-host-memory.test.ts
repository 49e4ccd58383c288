import v8 from 'node:v8';
import vm from 'node:vm';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { findLibrary } from '../../src/engine/llama/library.ts';
import { loadLibrary } from '../../src/engine/llama/load.ts';
import { PinnedHostMemory, pinnedMemory } from '../../src/engine/llama/pinned-host-memory.ts';
import type { Pointer } from '../../src/engine/llama/structs.ts';

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
    const pinned = new PinnedHostMemory(functions, 1n);
    for (const memory of [pinned.allocate(1000), await pinned.allocateAhead(1000)]) {
      const bytes = new Uint8Array(memory!);
      bytes.fill(7);
      expect([bytes.length, bytes.every((byte) => byte === 7)]).toEqual([1000, true]);
    }
  });

  it('is freed when nobody reads it any more, and not before', async () => {
    const { functions, freed, allocated } = library();
    const pinned = new PinnedHostMemory(functions, 1n);
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
    const refusing = new PinnedHostMemory(library({ refuses: true }).functions, 1n);
    expect([refusing.allocate(8), await refusing.allocateAhead(8)]).toEqual([undefined, undefined]);
    const failing = new PinnedHostMemory(library({ fails: true }).functions, 1n);
    expect(await failing.allocateAhead(8)).toBeUndefined();
  });

  it('is not asked for where a CPU computes', () => {
    const llama = loadLibrary(findLibrary('off'));
    expect(pinnedMemory(llama, { gpu: 'off', gpuLayers: 0 })).toBeUndefined();
  });
});
