import type { Environment } from '@huggingface/jinja';
import { formatTime } from './template-time.ts';

/** Far more than any template counts to; without an end, one line could fill the memory. */
const LONGEST_RANGE = 100_000;

/** Declares what every chat template may use: what Hugging Face's `apply_chat_template` offers. */
export function declareGlobals(environment: Environment): void {
  for (const [name, value] of Object.entries(GLOBALS)) environment.set(name, value);
}

const GLOBALS: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range,
  strftime_now: (format: string) => formatTime(new Date(), format),
  raise_exception: (reason: string) => {
    throw new Error(reason);
  },
};

/** Python's `range`. */
function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= LONGEST_RANGE)) throw new Error(`range() is longer than ${LONGEST_RANGE}`);
  return Array.from({ length }, (_, index) => start + index * step);
}
