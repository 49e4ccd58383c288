import type { CodePointRange } from './code-points.ts';

/** A regular expression as a tree. `repeat` without `max` has no end. */
export type Regex =
  | { readonly kind: 'set'; readonly set: readonly CodePointRange[] }
  | { readonly kind: 'sequence'; readonly items: readonly Regex[] }
  | { readonly kind: 'choice'; readonly items: readonly Regex[] }
  | { readonly kind: 'repeat'; readonly item: Regex; readonly min: number; readonly max: number | undefined };

/** One alternative of the whole pattern, with its own anchors. */
export interface AnchoredRegex {
  readonly start: boolean;
  readonly end: boolean;
  readonly body: Regex;
}

/** How many characters a match has, and how many of them the pattern tells apart once repetitions are written out. */
interface RegexSize {
  readonly min: number;
  readonly max: number;
  readonly positions: number;
}

export function sizeOf(regex: Regex): RegexSize {
  switch (regex.kind) {
    case 'set':
      return { min: 1, max: 1, positions: 1 };
    case 'repeat': {
      const item = sizeOf(regex.item);
      const max =
        regex.max === undefined
          ? item.max === 0
            ? 0
            : Infinity
          : regex.max === 0
            ? 0
            : item.max * regex.max;
      return {
        min: item.min * regex.min,
        max,
        positions: item.positions * (regex.max ?? Math.max(1, regex.min)),
      };
    }
    case 'sequence': {
      const sizes = regex.items.map(sizeOf);
      return { min: sum(sizes, 'min'), max: sum(sizes, 'max'), positions: sum(sizes, 'positions') };
    }
    case 'choice': {
      const sizes = regex.items.map(sizeOf);
      return {
        min: Math.min(...sizes.map((size) => size.min)),
        max: Math.max(...sizes.map((size) => size.max)),
        positions: sum(sizes, 'positions'),
      };
    }
  }
}

function sum(sizes: readonly RegexSize[], key: keyof RegexSize): number {
  return sizes.reduce((total, size) => total + size[key], 0);
}
