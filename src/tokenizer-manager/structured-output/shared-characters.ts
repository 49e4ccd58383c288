import type { CodePointRange } from './code-points.ts';

/** A character and the classes that it belongs to. */
export interface SharedCharacter {
  readonly codePoint: number;
  readonly members: readonly number[];
}

/** With more candidates than this, those that another one includes are no longer sought. */
const MOST_COMPARED = 64;

/**
 * Characters that more than one of the classes takes, or that the only class takes; at least one for each largest
 * group of classes. Classes are given by their index.
 */
export function sharedCharacters(
  classes: readonly number[],
  ranges: readonly (readonly CodePointRange[])[],
): readonly SharedCharacter[] {
  const all = classes.map((id) => ({ id, ranges: ranges[id]! }));
  // A largest group has a character where one of its ranges begins.
  const starts = [...new Set(all.flatMap((one) => one.ranges.map(([first]) => first)))].sort((a, b) => a - b);
  const members: number[][] = starts.map(() => []);
  for (const { id, ranges: own } of all) {
    for (const [first, last] of own) {
      for (let at = lowerBound(starts, first); at < starts.length && starts[at]! <= last; at++) {
        members[at]!.push(id);
      }
    }
  }
  const groups = new Map<string, SharedCharacter>();
  for (const [at, codePoint] of starts.entries()) {
    groups.set(members[at]!.join(), { codePoint, members: members[at]! });
  }
  const candidates = [...groups.values()].sort((a, b) => b.members.length - a.members.length);
  if (candidates.length > MOST_COMPARED) return candidates;
  return candidates.filter(
    ({ members: own }, index) =>
      !candidates.slice(0, index).some((other) => own.every((id) => other.members.includes(id))),
  );
}

function lowerBound(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
