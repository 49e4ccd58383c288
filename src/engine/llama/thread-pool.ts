import koffi, { type TypeObject } from 'koffi';
import { failure } from '../../shared/errors.ts';
import type { Llama } from './functions.ts';
import type { NativeThreadPoolParams, Pointer } from './structs.ts';

/** GGML_BACKEND_DEVICE_TYPE_CPU in ggml-backend.h. */
const CPU = 0;

const NewPool = koffi.proto('void *tierkv_threadpool_new(ggml_threadpool_params *params)');
const FreePool = koffi.proto('void tierkv_threadpool_free(void *pool)');

/**
 * The threads that compute on the CPU, for the life of a context. Without one, the library starts and ends threads
 * for every batch; called from one thread of libuv's pool after the other, as koffi does, that halves the speed of
 * decoding. Between batches the threads sleep: spinning ones would take the cores from JavaScript.
 */
export class ThreadPool {
  readonly pointer: Pointer;
  readonly #free: (pool: Pointer) => void;

  constructor(llama: Llama, threads: number) {
    const create = cpuFunction(llama, 'ggml_threadpool_new', NewPool) as (
      params: NativeThreadPoolParams,
    ) => Pointer | null;
    this.#free = cpuFunction(llama, 'ggml_threadpool_free', FreePool) as (pool: Pointer) => void;
    const params = llama.ggml_threadpool_params_default(threads);
    params.poll = 0;
    const pointer = create(params);
    if (pointer === null)
      throw failure('engine_failed', { reason: `${threads} threads could not be started` });
    this.pointer = pointer;
  }

  /** After the context that uses it is freed. */
  close(): void {
    this.#free(this.pointer);
  }
}

/** A function that lives in the variant of the CPU backend that was loaded, known only by its registry. */
function cpuFunction(llama: Llama, name: string, type: TypeObject): unknown {
  for (let i = 0; i < llama.ggml_backend_dev_count(); i++) {
    const device = llama.ggml_backend_dev_get(i);
    if (llama.ggml_backend_dev_type(device) !== CPU) continue;
    const address = llama.ggml_backend_reg_get_proc_address(llama.ggml_backend_dev_backend_reg(device), name);
    if (address !== null) return koffi.decode(address, type);
  }
  throw failure('library_mismatch', { reason: `its CPU backend has no ${name}` });
}
