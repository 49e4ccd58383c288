import koffi from 'koffi';
import { failure } from '../../shared/errors.ts';
import type { ModelInfo, Paging } from '../engine.ts';
import type { Llama } from './functions.ts';
import { silentLog } from './load.ts';
import type { Pointer } from './structs.ts';

const decoder = new TextDecoder();
const ProgressCallback = koffi.pointer(koffi.proto('bool tierkv_load_progress(float progress, void *data)'));
const LogCallback = koffi.pointer(koffi.proto('void tierkv_log(int level, const char *text, void *data)'));

/** GGML_LOG_LEVEL_ERROR in ggml.h. */
const LOG_ERROR = 4;

/** A bit of LLAMA_ROPE_TYPE_MROPE (8), IMROPE (40) and VISION (24): positions that are not one number a token. */
const ROPE_MULTI = 8;

export interface LoadModelOptions {
  gpuLayers: number;
  onProgress?: (fraction: number) => void;
}

/**
 * Loads the weights, off the JavaScript thread. What the library logs goes to stderr.
 *
 * @throws `model_file` when the library refuses the file
 */
export async function loadModel(llama: Llama, path: string, options: LoadModelOptions): Promise<Pointer> {
  const { onProgress } = options;
  const callback =
    onProgress &&
    koffi.register((fraction: number) => {
      onProgress(fraction);
      return true;
    }, ProgressCallback);
  try {
    const params = llama.llama_model_default_params();
    params.n_gpu_layers = options.gpuLayers;
    if (callback !== undefined) params.progress_callback = callback;
    const model = await new Promise<Pointer | null>((resolve, reject) => {
      llama.llama_model_load_from_file.async(path, params, (error, pointer) =>
        error ? reject(error) : resolve(pointer),
      );
    });
    if (model === null) throw failure('model_file', { path, reason: 'llama.cpp refused to load it' });
    return model;
  } finally {
    if (callback !== undefined) koffi.unregister(callback);
  }
}

/**
 * Loads the vocabulary and the metadata without the weights. The library checks the whole file's structure,
 * so a file that passes here is complete and of a known architecture.
 *
 * @throws `model_file` with the library's own reason
 */
export function loadVocabularyOnly(llama: Llama, path: string): Pointer {
  const errors: string[] = [];
  const log = koffi.register((level: number, text: string) => {
    if (level === LOG_ERROR) errors.push(text.trim());
  }, LogCallback);
  // A JavaScript log callback is safe only here: this load runs on one thread, this one.
  llama.llama_log_set(log, null);
  try {
    const params = llama.llama_model_default_params();
    params.vocab_only = true;
    const model = llama.llama_model_load_from_file(path, params);
    if (model === null) {
      const reason =
        errors[0]?.replace(/^\w+: (error loading model: )?/, '') ?? 'llama.cpp refused to load it';
      throw failure('model_file', { path, reason });
    }
    return model;
  } finally {
    llama.llama_log_set(silentLog(), null);
    koffi.unregister(log);
  }
}

/** What the library knows about a loaded model; `device` is where its layers went. */
export function describeModel(llama: Llama, model: Pointer, device: string): ModelInfo {
  const vocabulary = llama.llama_model_get_vocab(model);
  return {
    description: readString((buffer, size) => llama.llama_model_desc(model, buffer, size)) ?? '',
    architecture: metadata(llama, model, 'general.architecture') ?? 'unknown',
    vocabularySize: llama.llama_vocab_n_tokens(vocabulary),
    trainedContext: llama.llama_model_n_ctx_train(model),
    parameters: Number(llama.llama_model_n_params(model)),
    bytes: Number(llama.llama_model_size(model)),
    paging: pagingOf(llama, model),
    device,
  };
}

/** Why a model cannot generate text at all, if it cannot. */
export function whyNotGenerative(llama: Llama, model: Pointer): string | undefined {
  const architecture = metadata(llama, model, 'general.architecture') ?? 'unknown';
  if (llama.llama_model_has_encoder(model))
    return `'${architecture}' has an encoder; only decoders are served`;
  if (!llama.llama_model_has_decoder(model)) return `'${architecture}' has no decoder`;
  if (llama.llama_model_is_diffusion(model)) return `'${architecture}' generates by diffusion`;
  const pooling = metadata(llama, model, `${architecture}.pooling_type`);
  const causal = metadata(llama, model, `${architecture}.attention.causal`);
  if (causal === 'false' || (pooling !== undefined && pooling !== '0')) {
    return `'${architecture}' computes embeddings only`;
  }
  return undefined;
}

/** A page is the KV of some tokens, cut out and put back: that needs one row per token and layer, for ever. */
function pagingOf(llama: Llama, model: Pointer): Paging {
  const no = (reason: string): Paging => ({ supported: false, reason });
  if (llama.llama_model_is_recurrent(model)) return no('its state is recurrent');
  if (llama.llama_model_is_hybrid(model)) return no('part of its state is recurrent');
  if (llama.llama_model_n_swa(model) > 0) return no('it attends through a sliding window');
  const rope = llama.llama_model_rope_type(model);
  if (rope > 0 && (rope & ROPE_MULTI) !== 0) return no('its positions have several dimensions (M-RoPE)');
  return { supported: true };
}

/** Values of one head of K, where the file says. */
export function headWidth(llama: Llama, model: Pointer): number | undefined {
  const architecture = metadata(llama, model, 'general.architecture') ?? '';
  const number = (key: string) => Number(metadata(llama, model, `${architecture}.${key}`)) || undefined;
  const [width, heads] = [number('embedding_length'), number('attention.head_count')];
  return number('attention.key_length') ?? (width && heads && width / heads);
}

export function metadata(llama: Llama, model: Pointer, key: string): string | undefined {
  return readString((buffer, size) => llama.llama_model_meta_val_str(model, key, buffer, size));
}

function readString(read: (buffer: Uint8Array, size: number) => number): string | undefined {
  const buffer = new Uint8Array(1024);
  const length = read(buffer, buffer.length);
  return length < 0 ? undefined : decoder.decode(buffer.subarray(0, Math.min(length, buffer.length - 1)));
}
