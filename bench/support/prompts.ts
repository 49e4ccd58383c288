/** Prompts use the first tokens of the vocabulary behind the single bytes; every generated model has them. */
const [FIRST, COUNT] = [256, 744];

/** A prompt that shares no prefix with another one; the same for the same numbers. */
export function uniquePrompt(seed: number, length: number): number[] {
  let state = (seed + 1) * 2654435761;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return FIRST + (state % COUNT);
  });
}
