import koffi, { type TypeObject } from 'koffi';
import { failure } from '../../shared/errors.ts';
import { keepCallersOn, usableCores } from './cores.ts';
import type { Llama } from './functions.ts';
import { MOST_CORES, type NativeThreadPoolParams, type Pointer } from './structs.ts';

/** GGML_BACKEND_DEVICE_TYPE_CPU in ggml-backend.h. */
const CPU = 0;

/**
 * About three milliseconds of spinning: as long as a batch is made from the answers of the one before. Threads that slept
 * meanwhile would be woken on a core that another one of them has.
 */
const POLL = 1;

const NewPool = koffi.proto('void *tierkv_threadpool_new(ggml_threadpool_params *params)');
const FreePool = koffi.proto('void tierkv_threadpool_free(void *pool)');

/**
 * The threads that compute on the CPU, for the life of a context. Without one, the library starts and ends threads
 * for every batch; called from one thread of libuv's pool after the other, as koffi does, that halves the speed of
 * decoding. Between batches the threads soon sleep: spinning ones would take the cores from JavaScript.
 *
 * Where every core computes, each thread has its own. Linux puts two on one core when a third process has just run on the
 * other, and moves them apart only after ten milliseconds, while all wait for the one that waits.
 */
export class ThreadPool {
  readonly pointer: Pointer;
  readonly #free: (pool: Pointer) => void;

  /** @param ownsCores whether no other rank computes on this machine */
  constructor(llama: Llama, threads: number, ownsCores: boolean) {
    const create = cpuFunction(llama, 'ggml_threadpool_new', NewPool) as (
      params: NativeThreadPoolParams,
    ) => Pointer | null;
    this.#free = cpuFunction(llama, 'ggml_threadpool_free', FreePool) as (pool: Pointer) => void;
    const params = llama.ggml_threadpool_params_default(threads);
    params.poll = POLL;
    const cores = usableCores();
    const callersCore = ownsCores && threads > 1 && threads === cores.length ? cores.at(-1) : undefined;
    if (callersCore !== undefined && callersCore < MOST_CORES) {
      // The library gives them out in order, and the last one to the thread that calls it.
      params.cpumask = Array.from({ length: MOST_CORES }, (_, core) => cores.includes(core));
      params.strict_cpu = true;
      // Until the first batch, so that it is not this thread that is kept on a core.
      params.paused = true;
      keepCallersOn(callersCore);
    }
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
