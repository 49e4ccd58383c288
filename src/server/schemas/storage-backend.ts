import { type Static, Type } from 'typebox';
import { BREAKER_ORDERS, CLEAR_SCOPES, OPERATION_MODES } from '../../shared/storage-messages.ts';

const LONGEST_TIMEOUT_S = 3600;
const LONGEST_READ_THROUGH_S = 86_400;
const optional = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) =>
  Type.Optional(Type.Union([type, Type.Null()]));
const strict = { additionalProperties: false } as const;

const Mode = Type.Enum([...OPERATION_MODES], {
  description:
    'idle: refused unless nothing runs. drain: admits nothing more and waits until nothing runs. live: under load.',
});

/** The body of PUT /hicache/storage-backend. The first four fields are SGLang's. */
export const AttachBody = Type.Object(
  {
    hicache_storage_backend: Type.String({ minLength: 1, description: 'The name of a backend.' }),
    hicache_storage_backend_extra_config_json: optional(
      Type.Union([Type.String(), Type.Record(Type.String(), Type.Unknown())], {
        description: 'Its settings and those of prefetching: an object, or JSON of one.',
      }),
    ),
    // Their names are checked later, after whether anything may change now at all.
    hicache_storage_prefetch_policy: optional(
      Type.String({ description: 'best_effort, wait_complete or timeout.' }),
    ),
    hicache_write_policy: optional(
      Type.String({ description: 'write_through, write_through_selective or write_back.' }),
    ),
    mode: optional(Mode),
    switch: optional(Type.Boolean({ description: 'Replaces what is attached.' })),
    read_through: optional(
      Type.Number({
        minimum: 0,
        maximum: LONGEST_READ_THROUGH_S,
        description: 'Seconds for which a replaced backend still answers what the new one misses.',
      }),
    ),
    backfill: optional(
      Type.Boolean({ description: 'Whether pages that L2 holds already are written to it. Default true.' }),
    ),
    timeout: optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: LONGEST_TIMEOUT_S,
        description: 'Seconds for the whole operation on all ranks. Default 30.',
      }),
    ),
  },
  strict,
);
export type AttachBody = Static<typeof AttachBody>;

/** Numbers in a query are texts. */
const Seconds = Type.String({ pattern: '^\\d+(\\.\\d+)?$' });

export const DetachQuery = Type.Object(
  { mode: Type.Optional(Mode), timeout: Type.Optional(Seconds) },
  strict,
);

export const ClearBody = Type.Object(
  {
    scope: optional(
      Type.Enum([...CLEAR_SCOPES], {
        description: 'model: the pages of the served model (default). all: those of every model.',
      }),
    ),
    timeout: optional(Type.Number({ exclusiveMinimum: 0, maximum: LONGEST_TIMEOUT_S })),
  },
  strict,
);

export const BreakerBody = Type.Object(
  {
    state: Type.Enum([...BREAKER_ORDERS], {
      description: 'open: the storage is left alone until told otherwise. auto: the breaker decides.',
    }),
    timeout: optional(Type.Number({ exclusiveMinimum: 0, maximum: LONGEST_TIMEOUT_S })),
  },
  strict,
);
