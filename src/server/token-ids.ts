import { failure } from '../shared/errors.ts';

/** Token ids of a client; an Int32Array would silently wrap those that are too large. */
export function toTokens(ids: readonly number[], vocabulary: number, param = 'prompt'): Int32Array {
  const wrong = ids.find((id) => id >= vocabulary);
  if (wrong !== undefined) throw failure('token_out_of_range', { token: wrong, vocabulary }, { param });
  return Int32Array.from(ids);
}
