import { type Static, Type } from 'typebox';

/** What `tierkv bench` writes: the schema of its JSON. Times are in milliseconds unless a name says otherwise. */

const Count = Type.Integer({ minimum: 0 });
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()]);

/** Of all values together; null where there is none. */
const Distribution = Nullable(
  Type.Object({ mean: Type.Number(), p50: Type.Number(), p90: Type.Number(), p99: Type.Number() }),
);
export type Distribution = Static<typeof Distribution>;

/** Where prompt tokens came from that were not computed. */
const Tiers = Type.Object({ device: Count, host: Count, storage: Count });
export type Tiers = Static<typeof Tiers>;

/** What one part of a workload took. All counts but `failed` are of the requests that were answered. */
const Phase = Type.Object({
  name: Type.String(),
  requests: Count,
  failed: Count,
  /** How often each reason was met. */
  failures: Type.Record(Type.String(), Count),
  /** Answers with fewer tokens than were asked for. */
  shortAnswers: Count,
  /** From the first request to the end of the last one; of several rounds together. */
  seconds: Type.Number(),
  promptTokens: Count,
  outputTokens: Count,
  promptTokensPerSecond: Nullable(Type.Number()),
  outputTokensPerSecond: Nullable(Type.Number()),
  ttft: Distribution,
  /** The time between two tokens of one answer. */
  interToken: Distribution,
  /** From asking to the end of the answer. */
  endToEnd: Distribution,
  /** Prompt tokens that were computed, as the server tells; null where it does not. */
  computedTokens: Nullable(Count),
  /** Prompt tokens that a cache that never forgets would have had computed. */
  leastTokens: Count,
  /** Of the tokens that such a cache has, the share that was not computed; null where nothing can be reused, or said. */
  reuse: Nullable(Type.Number()),
  /** Null where the server does not tell. */
  cachedByTier: Nullable(Tiers),
});
export type Phase = Static<typeof Phase>;

/** A server that was measured, in all rounds together. */
const ServerSummary = Type.Object({
  label: Type.String(),
  /** As it was given; one of the two is null. */
  command: Nullable(Type.String()),
  url: Nullable(Type.String()),
  /** Whether lengths and the least are exact; otherwise a word counts as a token. */
  exactTokens: Nullable(Type.Boolean()),
  /** The most memory of a started server's processes, in any round; null where it is not known. */
  peakMemoryBytes: Nullable(Count),
  phases: Type.Array(Phase),
});
export type ServerSummary = Static<typeof ServerSummary>;

/** One round on one server. */
const Run = Type.Object({
  label: Type.String(),
  round: Count,
  exactTokens: Nullable(Type.Boolean()),
  /** Why it was not done to its end, such as a server that died; null where it was. */
  problem: Nullable(Type.String()),
  /** The last lines that a server wrote which died or did not start. */
  lastLines: Type.Array(Type.String()),
  peakMemoryBytes: Nullable(Count),
  phases: Type.Array(Phase),
  /** What a workload found besides, such as the highest rate that it could hold. */
  findings: Type.Record(Type.String(), Type.Number()),
});
export type Run = Static<typeof Run>;

export const BenchReport = Type.Object({
  tierkv: Type.String(),
  date: Type.String(),
  machine: Type.Object({
    platform: Type.String(),
    cpu: Nullable(Type.String()),
    cores: Count,
    node: Type.String(),
  }),
  workload: Type.String(),
  options: Type.Record(Type.String(), Type.Unknown()),
  seed: Count,
  repeat: Count,
  /** All rounds together, in the order in which the servers were given. */
  servers: Type.Array(ServerSummary),
  /** In the order in which they were run. */
  runs: Type.Array(Run),
});
export type BenchReport = Static<typeof BenchReport>;
