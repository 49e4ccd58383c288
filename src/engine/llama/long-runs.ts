/**
 * Runs without any space, and runs of nothing but space, are cut at this many characters before the library's
 * regular expressions see them: they recurse once a character.
 */
const LONGEST_RUN = 8192;
/** Each match is a run, or the next piece of one. Linear: `{8192}` would look for it from every character on. */
const PIECES = new RegExp(`\\S{1,${LONGEST_RUN}}|\\s{1,${LONGEST_RUN}}`, 'gu');

/**
 * Cuts a text so that no part holds a long run. A cut depends only on what stands before it, so texts that share
 * a prefix still share its tokens; but where it would break a special token, it stands before that token.
 *
 * @param specials texts of special tokens; asked for only when something is cut
 */
export function splitLongRuns(text: string, specials: () => readonly string[]): string[] {
  const parts: string[] = [];
  let start = 0;
  if (text.length >= LONGEST_RUN) {
    for (const { 0: piece, index } of text.matchAll(PIECES)) {
      if (piece.length < LONGEST_RUN || [...piece].length < LONGEST_RUN) continue;
      const end = beforeSpecial(text, index + piece.length, specials());
      parts.push(text.slice(start, end));
      start = end;
    }
  }
  if (start < text.length || parts.length === 0) parts.push(text.slice(start));
  return parts;
}

/** The cut itself, or the start of the first special token that it would break. */
function beforeSpecial(text: string, cut: number, specials: readonly string[]): number {
  let first = cut;
  for (const special of specials) {
    // Only this much of the text can hold a broken one.
    const from = Math.max(0, cut - special.length + 1);
    const at = text.slice(from, cut + special.length - 1).indexOf(special);
    if (at >= 0) first = Math.min(first, from + at);
  }
  return first;
}
