export const PREFETCH_POLICIES = ['best_effort', 'wait_complete', 'timeout'] as const;
/** How long a request waits for what is being fetched for it: not at all, to the end, or for a time by its length. */
export type PrefetchPolicy = (typeof PREFETCH_POLICIES)[number];

export interface PrefetchSettings {
  policy: PrefetchPolicy;
  /** Tokens; a prefix that misses fewer is computed without asking. */
  threshold: number;
  /** Seconds. */
  timeoutBase: number;
  /** Seconds for every 1,024 tokens. */
  timeoutPerKiToken: number;
  /** Seconds. */
  timeoutMax: number;
}

/** SGLang's defaults, but for the longest time. */
export const DEFAULT_PREFETCH: PrefetchSettings = {
  policy: 'timeout',
  threshold: 256,
  timeoutBase: 2,
  timeoutPerKiToken: 0.1,
  timeoutMax: 30,
};

/** Milliseconds that a request waits at most for so many tokens. */
export function patience(settings: PrefetchSettings, tokens: number): number {
  if (settings.policy === 'best_effort') return 0;
  if (settings.policy === 'wait_complete') return Number.POSITIVE_INFINITY;
  const { timeoutMax, timeoutBase, timeoutPerKiToken } = settings;
  return 1000 * Math.min(timeoutMax, timeoutBase + (timeoutPerKiToken * tokens) / 1024);
}
