/** A seeded stream of random numbers: the same numbers on every platform, for the same key. */
export interface Random {
  /** The next 32 random bits, as an unsigned integer. */
  bits(): number;
  /** An integer from 0 up to, and without, `limit`. */
  below(limit: number): number;
}

/** FNV-1a over the UTF-16 code units, with a final mix: spreads similar keys over all 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * xoshiro128** (Blackman and Vigna, public domain), its state drawn from `key` by SplitMix32.
 *
 * Only 32-bit integer operations are used, so no platform rounds differently.
 */
export function random(key: string): Random {
  let seed = hash(key);
  const split = (): number => {
    seed = (seed + 0x9e3779b9) | 0;
    let z = seed;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = split();
  let b = split();
  let c = split();
  let d = split();
  const bits = (): number => {
    const m = Math.imul(b, 5);
    const result = Math.imul((m << 7) | (m >>> 25), 9);
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result >>> 0;
  };
  return { bits, below: (limit) => Math.floor((bits() / 0x1_0000_0000) * limit) };
}
