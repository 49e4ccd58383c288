/** Unicode code points from the first to the last, both included. */
export type CodePointRange = readonly [first: number, last: number];

const LAST = 0x10ffff;

/** The same set with its ranges sorted, joined and without the surrogates, which UTF-8 cannot encode. */
export function normalizeRanges(ranges: readonly CodePointRange[]): CodePointRange[] {
  const joined: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const previous = joined.at(-1);
    if (previous && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else joined.push([first, last]);
  }
  return joined.flatMap(([first, last]): CodePointRange[] => {
    const below: CodePointRange = [first, Math.min(last, 0xd7ff)];
    const above: CodePointRange = [Math.max(first, 0xe000), last];
    return [below, above].filter(([from, to]) => from <= to);
  });
}

/** Every code point that is not in the set. */
export function complementRanges(ranges: readonly CodePointRange[]): CodePointRange[] {
  const gaps: CodePointRange[] = [];
  let next = 0;
  for (const [first, last] of normalizeRanges(ranges)) {
    if (first > next) gaps.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= LAST) gaps.push([next, LAST]);
  return normalizeRanges(gaps);
}

/** The code points of `a` that are not in `b`. */
export function subtractRanges(a: readonly CodePointRange[], b: readonly CodePointRange[]): CodePointRange[] {
  return complementRanges([...complementRanges(a), ...b]);
}

export function rangesInclude(ranges: readonly CodePointRange[], codePoint: number): boolean {
  return ranges.some(([first, last]) => first <= codePoint && codePoint <= last);
}
