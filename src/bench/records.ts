import { decodingWindow } from './decoding-window.ts';
import type { Phase, Tiers } from './report.ts';
import { distribution, rounded } from './statistics.ts';

/** A request that was answered to its end. Moments are in milliseconds, of one clock for all requests. */
interface Answered {
  asked: number;
  /** When each token of the answer came; those of one event at the same moment. */
  arrivals: readonly number[];
  ended: number;
  /** Milliseconds between two tokens; where an event brings several, its time is shared by them. */
  gaps: readonly number[];
  promptTokens: number;
  outputTokens: number;
  askedTokens: number;
  /** Prompt tokens that were not computed; undefined where the server does not tell. */
  cached: number | undefined;
  tiers: Tiers | undefined;
  /** Prompt tokens that a cache that never forgets has. */
  reusable: number;
}

/** A part of a workload in one round. */
export interface Recorded {
  name: string;
  /** Whether output tokens a second are those from the moment when all answers had begun. */
  decoding: boolean;
  answered: Answered[];
  /** Reasons. */
  failed: string[];
}

/** The figures of one part of a workload, over one round or several. */
export function figures(name: string, rounds: readonly Recorded[]): Phase {
  const all = rounds.flatMap(({ answered }) => answered);
  const failed = rounds.flatMap((round) => round.failed);
  const sum = (of: (request: Answered) => number) => all.reduce((total, request) => total + of(request), 0);
  const promptTokens = sum((request) => request.promptTokens);
  const reusable = sum((request) => request.reusable);
  const cached = sumOfKnown(all.map((request) => request.cached));
  const windows = rounds.map(windowOf);
  const seconds = windows.reduce((total, window) => total + window.seconds, 0);
  const outputWindows = rounds.map((round) => (round.decoding ? decodingOf(round) : windowOf(round)));
  return {
    name,
    requests: all.length + failed.length,
    failed: failed.length,
    failures: countsOf(failed),
    shortAnswers: all.filter((request) => request.outputTokens < request.askedTokens).length,
    seconds: rounded(seconds, 3),
    promptTokens,
    outputTokens: sum((request) => request.outputTokens),
    promptTokensPerSecond: seconds > 0 ? rounded(promptTokens / seconds, 2) : null,
    outputTokensPerSecond: perSecond(outputWindows),
    ttft: distribution(all.flatMap(({ asked, arrivals }) => arrivals.slice(0, 1).map((at) => at - asked))),
    interToken: distribution(all.flatMap(({ gaps }) => gaps)),
    endToEnd: distribution(all.map(({ asked, ended }) => ended - asked)),
    computedTokens: cached === null ? null : promptTokens - cached,
    leastTokens: promptTokens - reusable,
    reuse: cached === null || reusable === 0 ? null : rounded(cached / reusable, 4),
    cachedByTier: sumOfTiers(all.map(({ tiers }) => tiers)),
  };
}

interface Window {
  seconds: number;
  tokens: number;
}

function windowOf({ answered }: Recorded): Window {
  if (answered.length === 0) return { seconds: 0, tokens: 0 };
  const [from, to] = [
    Math.min(...answered.map((one) => one.asked)),
    Math.max(...answered.map((one) => one.ended)),
  ];
  return { seconds: (to - from) / 1000, tokens: answered.reduce((sum, one) => sum + one.outputTokens, 0) };
}

function decodingOf({ answered }: Recorded): Window {
  const { from, to, tokens } = decodingWindow(answered.map(({ arrivals }) => arrivals));
  return { seconds: tokens > 0 ? (to - from) / 1000 : 0, tokens };
}

function perSecond(windows: readonly Window[]): number | null {
  const seconds = windows.reduce((sum, window) => sum + window.seconds, 0);
  const tokens = windows.reduce((sum, window) => sum + window.tokens, 0);
  return seconds > 0 ? rounded(tokens / seconds, 2) : null;
}

/** Null unless all are known: a sum of some would say too little. */
function sumOfKnown(values: readonly (number | undefined)[]): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === undefined) return null;
    sum += value;
  }
  return values.length === 0 ? null : sum;
}

function sumOfTiers(all: readonly (Tiers | undefined)[]): Tiers | null {
  const known = all.filter((tiers) => tiers !== undefined);
  if (known.length < all.length || known.length === 0) return null;
  const sum = (tier: keyof Tiers) => known.reduce((total, tiers) => total + tiers[tier], 0);
  return { device: sum('device'), host: sum('host'), storage: sum('storage') };
}

function countsOf(reasons: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const reason of reasons) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}
