import type { Llama } from './functions.ts';
import { metadata } from './model.ts';
import type { Pointer } from './structs.ts';

/**
 * What changes the values of KV, but not its form, besides the weights and the tokens; empty where nothing does.
 * Pages of one variant are of no use to another.
 */
export function kvVariant(llama: Llama, model: Pointer, cells: number): string {
  const variants: string[] = [];
  const architecture = metadata(llama, model, 'general.architecture') ?? '';
  const trained = Number(metadata(llama, model, `${architecture}.rope.scaling.original_context_length`));
  // Some models have two sets of frequencies, and the library takes the one for the size of its KV memory
  // (get_rope_factors in llama-model.cpp).
  if (cells > trained) variants.push('long rope');
  // Quantised KV is rotated, unless this variable of the library says otherwise (llama-kv-cache.cpp).
  if (Number.parseInt(process.env.LLAMA_ATTN_ROT_DISABLE ?? '', 10)) variants.push('not rotated');
  return variants.join(', ');
}
