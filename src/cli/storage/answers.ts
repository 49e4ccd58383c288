import { type Static, Type } from 'typebox';

/**
 * What /hicache/storage-backend answers, as far as it is shown. Names of states and policies are texts, and more fields
 * are no mistake: the server may be newer.
 */

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) =>
  Type.Union([type, Type.Null()]);
const Text = nullable(Type.String());
const Count = Type.Number();

const RankRow = Type.Object({
  rank: Count,
  state: Type.String(),
  // Absent when the rank does not answer.
  health: Type.Optional(Text),
  breaker: Type.Optional(Text),
  blocked_by: Type.Optional(Type.Array(Type.String())),
  inflight: Type.Optional(Type.Object({ prefetch: Count, backup: Count })),
  queued: Type.Optional(Count),
  pages_read: Type.Optional(Count),
  pages_written: Type.Optional(Count),
  errors: Type.Optional(Count),
  last_error: Type.Optional(Text),
  bytes_used: Type.Optional(nullable(Count)),
});
export type RankRow = Static<typeof RankRow>;

const Operation = Type.Object({
  id: Count,
  kind: Type.String(),
  backend: Text,
  mode: Text,
  /** Unix time in seconds. */
  started_at: Count,
});

export const StatusAnswer = Type.Object({
  hicache_storage_backend: Text,
  hicache_storage_prefetch_policy: Text,
  hicache_write_policy: Text,
  state: Type.String(),
  epoch: nullable(Count),
  attached_at: nullable(Count),
  prefetch: Type.Optional(
    Type.Object({
      threshold: Count,
      timeout_base: Count,
      timeout_per_ki_token: Count,
      timeout_max: Count,
    }),
  ),
  operation: nullable(Operation),
  ranks: Type.Array(RankRow),
});
export type StatusAnswer = Static<typeof StatusAnswer>;

export const ChangeAnswer = Type.Object({
  message: Type.String(),
  ranks: Type.Array(Type.Object({ rank: Count, message: Type.String() })),
});

const Checks = Type.Array(
  Type.Object({ name: Type.String(), ok: Type.Boolean(), ms: Count, detail: Type.String() }),
);
export type Checks = Static<typeof Checks>;

export const CheckAnswer = Type.Object({ checks: Checks });
/** Of a backend that does not pass. */
export const FailedCheckAnswer = Type.Object({
  error: Type.Object({ details: Type.Object({ checks: Checks }) }),
});

export const ClearAnswer = Type.Object({
  removed: Count,
  ranks: Type.Array(Type.Object({ rank: Count, removed: Count })),
});
