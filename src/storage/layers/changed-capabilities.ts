import type { Capabilities } from '../driver.ts';

/** The capabilities of a driver but for some. Its largest value is asked for each time: some know it once they are open. */
export function changedCapabilities(
  own: Readonly<Capabilities>,
  {
    largestValue = (bytes) => bytes,
    ...others
  }: { largestValue?: (own: number) => number; longestKey?: number },
): Readonly<Capabilities> {
  return Object.freeze({
    ...own,
    ...others,
    get largestValue() {
      return largestValue(own.largestValue);
    },
  });
}
