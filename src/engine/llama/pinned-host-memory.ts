import koffi from 'koffi';
import type { PinnedMemory } from '../engine.ts';
import { computingDevice } from './computing-device.ts';
import type { Llama } from './functions.ts';
import { findLibrary, type GpuChoice } from './library.ts';
import type { Pointer } from './structs.ts';

type Functions = Pick<
  Llama,
  'ggml_backend_buft_alloc_buffer' | 'ggml_backend_buffer_get_base' | 'ggml_backend_buffer_free'
>;

/**
 * Host memory of a GPU's own kind. CUDA copies any other through a buffer of the driver: pages of 8 MiB came to an H200
 * and from it at 5 GB/s, with this at 12, and at 1.2 where the memory was touched for the first time.
 */
export class PinnedHostMemory implements PinnedMemory {
  readonly #llama: Functions;
  readonly #type: Pointer;
  /** Frees the library's buffer after the memory has lost its last reader, a transfer that nobody waits for included. */
  readonly #freed: FinalizationRegistry<Pointer>;

  /** @param type a `ggml_backend_buffer_type_t` whose memory the host can write to */
  constructor(llama: Functions, type: Pointer) {
    this.#llama = llama;
    this.#type = type;
    this.#freed = new FinalizationRegistry((buffer) => llama.ggml_backend_buffer_free(buffer));
  }

  allocate(bytes: number): ArrayBuffer | undefined {
    return this.#own(this.#llama.ggml_backend_buft_alloc_buffer(this.#type, bytes), bytes);
  }

  allocateAhead(bytes: number): Promise<ArrayBuffer | undefined> {
    return new Promise((resolve) => {
      this.#llama.ggml_backend_buft_alloc_buffer.async(this.#type, bytes, (error, buffer) =>
        resolve(error ? undefined : this.#own(buffer, bytes)),
      );
    });
  }

  #own(buffer: Pointer | null, bytes: number): ArrayBuffer | undefined {
    if (buffer === null) return undefined;
    const memory = koffi.view(this.#llama.ggml_backend_buffer_get_base(buffer), bytes);
    this.#freed.register(memory, buffer);
    return memory;
  }
}

/** What the device of an engine copies most quickly to and from; undefined where that is any memory, or not known. */
export function pinnedMemory(
  llama: Llama,
  options: { gpu: GpuChoice; gpuLayers: number },
): PinnedMemory | undefined {
  // Nothing says that the other backends allocate while another thread copies.
  if (findLibrary(options.gpu).kind !== 'cuda') return undefined;
  const device = computingDevice(llama, options);
  const type = device === undefined ? null : llama.ggml_backend_dev_host_buffer_type(device);
  return type === null ? undefined : new PinnedHostMemory(llama, type);
}
