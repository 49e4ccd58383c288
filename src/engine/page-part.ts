/** Throws unless a sequence that holds `held` positions can go on with those of a page from `from` up to `to`. */
export function checkPart(held: number, from: number, to: number, start: number, pageTokens: number): void {
  if (held !== from) throw new RangeError(`The sequence holds ${held} positions, not ${from}.`);
  if (start < 0 || start > from || to <= from || to > start + pageTokens)
    throw new RangeError(`A page that begins at ${start} does not hold the positions ${from} to ${to}.`);
}
