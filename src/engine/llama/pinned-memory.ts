import koffi from 'koffi';
import type { PageMemory } from '../engine.ts';
import type { Llama } from './functions.ts';
import type { Pointer } from './structs.ts';

type Functions = Pick<
  Llama,
  'ggml_backend_buft_alloc_buffer' | 'ggml_backend_buffer_get_base' | 'ggml_backend_buffer_free'
>;

/**
 * Host memory of a GPU's own kind. CUDA copies any other through a buffer of the driver: pages of 8 MiB came to an H200
 * and from it at 5 GB/s, with this at 12, and at 1.2 where the memory was touched for the first time.
 */
export class PinnedMemory implements PageMemory {
  /** All of it: it is the server's anyway, and while some is locked the device does nothing else. */
  readonly aheadBytes = Number.POSITIVE_INFINITY;
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
