import type { RankReport } from './messages.ts';

/**
 * What keeps a rank from being idle, each with its count; empty when nothing does. Copies between L1 and L2 happen
 * within a step, so they are never under way when somebody asks.
 */
export function whatBlocks({ running, waiting, compilingGrammars, cache }: RankReport): string[] {
  const counts = {
    running,
    waiting,
    'compiling-grammar': compilingGrammars,
    prefetch: cache.inFlight.prefetch,
    backup: cache.inFlight.backup + cache.queued,
  };
  return Object.entries(counts).flatMap(([what, count]) => (count > 0 ? [`${what}=${count}`] : []));
}
