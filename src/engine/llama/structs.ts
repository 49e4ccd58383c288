import koffi from 'koffi';

/** An address in native memory; `null` is NULL. */
export type Pointer = bigint;

// C runs on koffi's own stacks. Its defaults (2 MiB, and 128 KiB for calls off the JavaScript thread) overflow
// in the tokenizer's regular expressions and in nested grammars, which ends the process.
koffi.config({ sync_stack_size: 16 << 20, async_stack_size: 16 << 20 });

// Structs of include/llama.h at v0.5.0. The sizes are those of 64-bit platforms.
const ModelParams = koffi.struct('llama_model_params', {
  devices: 'void *',
  tensor_buft_overrides: 'void *',
  n_gpu_layers: 'int32',
  split_mode: 'int32',
  load_mode: 'int32',
  lazy_mode: 'int32',
  main_gpu: 'int32',
  tensor_split: 'void *',
  progress_callback: 'void *',
  progress_callback_user_data: 'void *',
  kv_overrides: 'void *',
  vocab_only: 'bool',
  check_tensors: 'bool',
  use_extra_bufts: 'bool',
  no_host: 'bool',
  no_alloc: 'bool',
  load_mtp: 'bool',
});

const ContextParams = koffi.struct('llama_context_params', {
  n_ctx: 'uint32',
  n_batch: 'uint32',
  n_ubatch: 'uint32',
  n_seq_max: 'uint32',
  n_rs_seq: 'uint32',
  n_outputs_max: 'uint32',
  n_outputs_max_per_seq: 'uint32',
  n_threads: 'int32',
  n_threads_batch: 'int32',
  ctx_type: 'int32',
  rope_scaling_type: 'int32',
  pooling_type: 'int32',
  attention_type: 'int32',
  flash_attn_type: 'int32',
  rope_freq_base: 'float',
  rope_freq_scale: 'float',
  yarn_ext_factor: 'float',
  yarn_attn_factor: 'float',
  yarn_beta_fast: 'float',
  yarn_beta_slow: 'float',
  yarn_orig_ctx: 'uint32',
  defrag_thold: 'float',
  cb_eval: 'void *',
  cb_eval_user_data: 'void *',
  type_k: 'int32',
  type_v: 'int32',
  abort_callback: 'void *',
  abort_callback_data: 'void *',
  embeddings: 'bool',
  offload_kqv: 'bool',
  no_perf: 'bool',
  op_offload: 'bool',
  swa_full: 'bool',
  kv_unified: 'bool',
  samplers: 'void *',
  n_samplers: 'size_t',
  ctx_other: 'void *',
});

const BatchStruct = koffi.struct('llama_batch', {
  n_tokens: 'int32',
  token: 'void *',
  embd: 'void *',
  pos: 'void *',
  n_seq_id: 'void *',
  seq_id: 'void *',
  logits: 'void *',
});

koffi.struct('llama_sampler_chain_params', { no_perf: 'bool' });

/** GGML_MAX_N_THREADS in ggml.h. */
export const MOST_CORES = 512;

const ThreadPoolParams = koffi.struct('ggml_threadpool_params', {
  cpumask: koffi.array('bool', MOST_CORES),
  n_threads: 'int',
  prio: 'int',
  poll: 'uint32',
  strict_cpu: 'bool',
  paused: 'bool',
});

/** The structs with the sizes that they have on 64-bit platforms. */
export const STRUCT_SIZES = [
  [ModelParams, 80],
  [ContextParams, 160],
  [BatchStruct, 56],
  [ThreadPoolParams, 528],
] as const;

/** The fields of llama_model_params that TierKV sets or checks; the others keep the library's defaults. */
export interface NativeModelParams {
  n_gpu_layers: number;
  split_mode: number;
  load_mode: number;
  progress_callback: Pointer | null;
  vocab_only: boolean;
  use_extra_bufts: boolean;
}

/** The fields of llama_context_params that TierKV sets or checks. */
export interface NativeContextParams {
  n_ctx: number;
  n_batch: number;
  n_ubatch: number;
  n_seq_max: number;
  n_outputs_max: number;
  n_threads: number;
  n_threads_batch: number;
  rope_scaling_type: number;
  flash_attn_type: number;
  yarn_ext_factor: number;
  defrag_thold: number;
  type_k: number;
  type_v: number;
  abort_callback: Pointer | null;
  abort_callback_data: Pointer | null;
  offload_kqv: boolean;
  no_perf: boolean;
  swa_full: boolean;
  kv_unified: boolean;
  n_samplers: number;
}

/** The fields of ggml_threadpool_params that TierKV sets. */
export interface NativeThreadPoolParams {
  n_threads: number;
  /** 0 sleeps between graphs; every step more spins for 131,072 rounds before. */
  poll: number;
  /** The cores that the threads may use; none is all. */
  cpumask: boolean[];
  /** Whether each thread has one of them for itself. */
  strict_cpu: boolean;
  paused: boolean;
}

export interface NativeBatch {
  n_tokens: number;
  token: Pointer;
  embd: null;
  pos: Pointer;
  n_seq_id: Pointer;
  seq_id: Pointer;
  logits: Pointer;
}
