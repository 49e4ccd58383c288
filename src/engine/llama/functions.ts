import type {
  NativeBatch,
  NativeContextParams,
  NativeModelParams,
  NativeThreadPoolParams,
  Pointer,
} from './structs.ts';

type Async<A extends unknown[], R> = ((...args: A) => R) & {
  /** Runs on a thread of libuv's pool. */
  async(...args: [...A, (error: Error | null, result: R) => void]): void;
};

/** The functions of libllama and libggml that TierKV calls, under their own names. */
export interface Llama {
  ggml_backend_load_all_from_path(folder: string): void;
  ggml_backend_dev_count(): number;
  ggml_backend_dev_get(index: number): Pointer;
  ggml_backend_dev_name(device: Pointer): string;
  ggml_backend_dev_description(device: Pointer): string;
  ggml_backend_dev_type(device: Pointer): number;
  ggml_backend_dev_memory(device: Pointer, free: [number], total: [number]): void;
  ggml_backend_dev_backend_reg(device: Pointer): Pointer;
  ggml_backend_dev_host_buffer_type(device: Pointer): Pointer | null;
  ggml_backend_buft_alloc_buffer: Async<[type: Pointer, bytes: number], Pointer | null>;
  ggml_backend_buffer_get_base(buffer: Pointer): Pointer;
  ggml_backend_buffer_free(buffer: Pointer): void;
  ggml_backend_reg_get_proc_address(registry: Pointer, name: string): Pointer | null;
  ggml_threadpool_params_default(threads: number): NativeThreadPoolParams;
  llama_version(): string;
  llama_print_system_info(): string;
  llama_log_set(callback: Pointer | null, userData: null): void;
  llama_max_parallel_sequences(): number;
  llama_model_default_params(): NativeModelParams;
  llama_context_default_params(): NativeContextParams;
  llama_model_load_from_file: Async<[path: string, params: NativeModelParams], Pointer | null>;
  llama_model_free(model: Pointer): void;
  llama_model_get_vocab(model: Pointer): Pointer;
  llama_model_desc(model: Pointer, buffer: Uint8Array, size: number): number;
  llama_model_meta_val_str(model: Pointer, key: string, buffer: Uint8Array, size: number): number;
  llama_model_chat_template(model: Pointer, name: null): string | null;
  llama_model_n_ctx_train(model: Pointer): number;
  llama_model_n_params(model: Pointer): number;
  llama_model_n_layer(model: Pointer): number;
  llama_model_n_swa(model: Pointer): number;
  llama_model_size(model: Pointer): number;
  llama_model_rope_type(model: Pointer): number;
  llama_model_has_encoder(model: Pointer): boolean;
  llama_model_has_decoder(model: Pointer): boolean;
  llama_model_is_recurrent(model: Pointer): boolean;
  llama_model_is_hybrid(model: Pointer): boolean;
  llama_model_is_diffusion(model: Pointer): boolean;
  llama_init_from_model: Async<[model: Pointer, params: NativeContextParams], Pointer | null>;
  llama_free(context: Pointer): void;
  llama_attach_threadpool(context: Pointer, decode: Pointer, prefill: Pointer): void;
  llama_n_ctx(context: Pointer): number;
  llama_n_seq_max(context: Pointer): number;
  llama_n_batch(context: Pointer): number;
  llama_get_memory(context: Pointer): Pointer;
  llama_memory_seq_rm(memory: Pointer, sequence: number, from: number, to: number): boolean;
  llama_memory_seq_cp(memory: Pointer, source: number, target: number, from: number, to: number): void;
  llama_memory_seq_pos_max(memory: Pointer, sequence: number): number;
  llama_state_seq_get_size(context: Pointer, sequence: number): number;
  llama_state_seq_get_data(context: Pointer, target: Uint8Array, size: number, sequence: number): number;
  llama_state_seq_set_data(context: Pointer, source: Uint8Array, size: number, sequence: number): number;
  llama_decode: Async<[context: Pointer, batch: NativeBatch], number>;
  llama_get_logits(context: Pointer): Pointer | null;
  llama_vocab_type(vocabulary: Pointer): number;
  llama_vocab_n_tokens(vocabulary: Pointer): number;
  llama_vocab_get_attr(vocabulary: Pointer, token: number): number;
  llama_vocab_is_eog(vocabulary: Pointer, token: number): boolean;
  llama_vocab_bos(vocabulary: Pointer): number;
  llama_vocab_eos(vocabulary: Pointer): number;
  llama_tokenize: Async<
    [
      Pointer,
      text: Uint8Array,
      bytes: number,
      tokens: Int32Array,
      max: number,
      special: boolean,
      parse: boolean,
    ],
    number
  >;
  llama_token_to_piece(
    vocabulary: Pointer,
    token: number,
    target: Uint8Array,
    size: number,
    lstrip: number,
    special: boolean,
  ): number;
  llama_sampler_chain_init(params: { no_perf: boolean }): Pointer;
  llama_sampler_chain_add(chain: Pointer, sampler: Pointer): void;
  llama_sampler_apply(sampler: Pointer, candidates: Pointer): void;
  llama_sampler_accept(sampler: Pointer, token: number): void;
  llama_sampler_free(sampler: Pointer): void;
  llama_sampler_init_greedy(): Pointer;
  llama_sampler_init_dist(seed: number): Pointer;
  llama_sampler_init_top_k(k: number): Pointer;
  llama_sampler_init_top_p(p: number, keep: number): Pointer;
  llama_sampler_init_min_p(p: number, keep: number): Pointer;
  llama_sampler_init_temp(temperature: number): Pointer;
  llama_sampler_init_penalties(
    vocabularySize: number,
    lastN: number,
    repeat: number,
    frequency: number,
    presence: number,
  ): Pointer;
  llama_sampler_init_logit_bias(vocabularySize: number, count: number, biases: Uint8Array): Pointer;
  llama_sampler_init_grammar: Async<[vocabulary: Pointer, gbnf: string, root: string], Pointer | null>;
}

/** C signatures in koffi's notation; `f` stands for the name. */
export const SIGNATURES: Record<keyof Llama, string> = {
  ggml_backend_load_all_from_path: 'void f(const char *)',
  ggml_backend_dev_count: 'size_t f()',
  ggml_backend_dev_get: 'void *f(size_t)',
  ggml_backend_dev_name: 'const char *f(void *)',
  ggml_backend_dev_description: 'const char *f(void *)',
  ggml_backend_dev_type: 'int f(void *)',
  ggml_backend_dev_memory: 'void f(void *, _Out_ size_t *, _Out_ size_t *)',
  ggml_backend_dev_backend_reg: 'void *f(void *)',
  ggml_backend_dev_host_buffer_type: 'void *f(void *)',
  ggml_backend_buft_alloc_buffer: 'void *f(void *, size_t)',
  ggml_backend_buffer_get_base: 'void *f(void *)',
  ggml_backend_buffer_free: 'void f(void *)',
  ggml_backend_reg_get_proc_address: 'void *f(void *, const char *)',
  ggml_threadpool_params_default: 'ggml_threadpool_params f(int)',
  llama_version: 'const char *f()',
  llama_print_system_info: 'const char *f()',
  llama_log_set: 'void f(void *, void *)',
  llama_max_parallel_sequences: 'size_t f()',
  llama_model_default_params: 'llama_model_params f()',
  llama_context_default_params: 'llama_context_params f()',
  llama_model_load_from_file: 'void *f(const char *, llama_model_params)',
  llama_model_free: 'void f(void *)',
  llama_model_get_vocab: 'void *f(void *)',
  llama_model_desc: 'int32 f(void *, void *, size_t)',
  llama_model_meta_val_str: 'int32 f(void *, const char *, void *, size_t)',
  llama_model_chat_template: 'const char *f(void *, void *)',
  llama_model_n_ctx_train: 'int32 f(void *)',
  llama_model_n_params: 'uint64 f(void *)',
  llama_model_n_layer: 'int32 f(void *)',
  llama_model_n_swa: 'int32 f(void *)',
  llama_model_size: 'uint64 f(void *)',
  llama_model_rope_type: 'int f(void *)',
  llama_model_has_encoder: 'bool f(void *)',
  llama_model_has_decoder: 'bool f(void *)',
  llama_model_is_recurrent: 'bool f(void *)',
  llama_model_is_hybrid: 'bool f(void *)',
  llama_model_is_diffusion: 'bool f(void *)',
  llama_init_from_model: 'void *f(void *, llama_context_params)',
  llama_free: 'void f(void *)',
  llama_attach_threadpool: 'void f(void *, void *, void *)',
  llama_n_ctx: 'uint32 f(void *)',
  llama_n_seq_max: 'uint32 f(void *)',
  llama_n_batch: 'uint32 f(void *)',
  llama_get_memory: 'void *f(void *)',
  llama_memory_seq_rm: 'bool f(void *, int32, int32, int32)',
  llama_memory_seq_cp: 'void f(void *, int32, int32, int32, int32)',
  llama_memory_seq_pos_max: 'int32 f(void *, int32)',
  llama_state_seq_get_size: 'size_t f(void *, int32)',
  llama_state_seq_get_data: 'size_t f(void *, void *, size_t, int32)',
  llama_state_seq_set_data: 'size_t f(void *, void *, size_t, int32)',
  llama_decode: 'int32 f(void *, llama_batch)',
  llama_get_logits: 'void *f(void *)',
  llama_vocab_type: 'int f(void *)',
  llama_vocab_n_tokens: 'int32 f(void *)',
  llama_vocab_get_attr: 'int f(void *, int32)',
  llama_vocab_is_eog: 'bool f(void *, int32)',
  llama_vocab_bos: 'int32 f(void *)',
  llama_vocab_eos: 'int32 f(void *)',
  llama_tokenize: 'int32 f(void *, void *, int32, void *, int32, bool, bool)',
  llama_token_to_piece: 'int32 f(void *, int32, void *, int32, int32, bool)',
  llama_sampler_chain_init: 'void *f(llama_sampler_chain_params)',
  llama_sampler_chain_add: 'void f(void *, void *)',
  llama_sampler_apply: 'void f(void *, void *)',
  llama_sampler_accept: 'void f(void *, int32)',
  llama_sampler_free: 'void f(void *)',
  llama_sampler_init_greedy: 'void *f()',
  llama_sampler_init_dist: 'void *f(uint32)',
  llama_sampler_init_top_k: 'void *f(int32)',
  llama_sampler_init_top_p: 'void *f(float, size_t)',
  llama_sampler_init_min_p: 'void *f(float, size_t)',
  llama_sampler_init_temp: 'void *f(float)',
  llama_sampler_init_penalties: 'void *f(int32, int32, float, float, float)',
  llama_sampler_init_logit_bias: 'void *f(int32, int32, void *)',
  llama_sampler_init_grammar: 'void *f(void *, const char *, const char *)',
};
