/** The token that ends an answer. */
export const SIMULATED_END = 0;

/** The state of an empty prefix. */
export const EMPTY_PREFIX = 0x9e3779b9;

/** The state after one more token: 32 bits that depend on every token so far and on their order. */
export function extendPrefix(state: number, token: number): number {
  return mix(Math.imul(state ^ mix(token + 0x85ebca6b), 0xc2b2ae35) + 0x27d4eb2f);
}

/** The logits after a prefix: a pure function of its tokens, between 0 and 8. */
export function logitsAfter(state: number, vocabularySize: number): Float32Array {
  const logits = new Float32Array(vocabularySize);
  for (let token = 0; token < vocabularySize; token++)
    logits[token] = mix(state + Math.imul(token, 0x9e3779b1)) / 2 ** 29;
  return logits;
}

/** The finaliser of MurmurHash3 (Austin Appleby, public domain): every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
