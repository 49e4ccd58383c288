import { type Static, Type } from 'typebox';

/** What the server and a rank say to each other about the storage backend. */

const Unsigned = Type.Integer({ minimum: 0 });
const strict = { additionalProperties: false } as const;

export const PrefetchSettings = Type.Object(
  {
    policy: Type.Enum(['best_effort', 'wait_complete', 'timeout']),
    threshold: Unsigned,
    timeoutBase: Type.Number(),
    timeoutPerKiToken: Type.Number(),
    timeoutMax: Type.Number(),
  },
  strict,
);

export const WritePolicySchema = Type.Enum(['write_through', 'write_through_selective', 'write_back']);

/** Everything about L3 that can change while a rank runs. */
const StorageSettings = Type.Object(
  {
    /** Null is none. */
    backend: Type.Union([Type.String(), Type.Null()]),
    /** JSON as the operator sent it; it may hold secrets. Null is none. */
    config: Type.Union([Type.String(), Type.Null()]),
    prefetch: PrefetchSettings,
    writePolicy: WritePolicySchema,
  },
  strict,
);
export type StorageSettings = Static<typeof StorageSettings>;

/** What becomes of the settings that are in effect. Names and values are checked by the rank, in its order of checks. */
const AttachChange = Type.Object(
  {
    kind: Type.Literal('attach'),
    backend: Type.String(),
    /** JSON; absent keeps what is in effect. */
    config: Type.Optional(Type.String()),
    prefetchPolicy: Type.Optional(Type.String()),
    writePolicy: Type.Optional(Type.String()),
    /** Whether another backend may be replaced. */
    replace: Type.Boolean(),
    /** Seconds for which the replaced backend still answers what the new one misses. */
    readThrough: Type.Number({ minimum: 0 }),
    /** Whether pages that L2 holds already are written to it. */
    backfill: Type.Boolean(),
  },
  strict,
);
export type AttachChange = Static<typeof AttachChange>;

const StorageChange = Type.Union([
  AttachChange,
  Type.Object({ kind: Type.Literal('detach') }, strict),
  /** For a rank that starts: what the others have in effect. */
  Type.Object({ kind: Type.Literal('restore'), settings: StorageSettings }, strict),
]);
export type StorageChange = Static<typeof StorageChange>;

export const OPERATION_MODES = ['idle', 'drain', 'live'] as const;
/** When a change may happen: on an idle rank only, once it has become idle, or under load. */
export type OperationMode = (typeof OPERATION_MODES)[number];

export const CLEAR_SCOPES = ['model', 'all'] as const;
/** Pages of the served model, or of every model. */
export type ClearScope = (typeof CLEAR_SCOPES)[number];

export const BREAKER_ORDERS = ['open', 'auto'] as const;
/** By an operator: the breaker stays open, or opens and closes by itself. */
export type BreakerOrder = (typeof BREAKER_ORDERS)[number];

const Operation = { operation: Unsigned };

export const StorageRequest = Type.Union([
  /** May fail, and shows nothing. */
  Type.Object(
    {
      kind: Type.Literal('prepare'),
      ...Operation,
      /** Of the attachment that it makes, if it makes one. */
      epoch: Unsigned,
      mode: Type.Enum([...OPERATION_MODES]),
      change: StorageChange,
      /** What the model's pages are named by, but for what only the engine knows. */
      fingerprint: Type.String(),
      /** For all of the operation: what is prepared and neither committed nor aborted by then is let go of. */
      milliseconds: Type.Number({ minimum: 0 }),
    },
    strict,
  ),
  /** Admits no more requests; answered when the rank is idle. */
  Type.Object({ kind: Type.Literal('hold'), ...Operation }, strict),
  /** Cannot fail after `prepare`; may come twice. */
  Type.Object(
    { kind: Type.Literal('commit'), ...Operation, graceMilliseconds: Type.Number({ minimum: 0 }) },
    strict,
  ),
  /** Takes `prepare` and `hold` back; also of an operation that is not known. */
  Type.Object({ kind: Type.Literal('abort'), ...Operation }, strict),
  /** Answered when nothing is left of backends that were detached. */
  Type.Object({ kind: Type.Literal('settle') }, strict),
  Type.Object({ kind: Type.Literal('status') }, strict),
  /** Tries a backend out. Changes nothing. */
  Type.Object(
    { kind: Type.Literal('check'), change: AttachChange, milliseconds: Type.Number({ minimum: 0 }) },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('clear'),
      scope: Type.Enum([...CLEAR_SCOPES]),
      milliseconds: Type.Number({ minimum: 0 }),
    },
    strict,
  ),
  Type.Object({ kind: Type.Literal('breaker'), state: Type.Enum([...BREAKER_ORDERS]) }, strict),
]);
export type StorageRequest = Static<typeof StorageRequest>;

const STORAGE_ACTIONS = ['attach', 'switch', 'update', 'detach', 'none'] as const;
/** What a change comes down to on a rank. `update` is one of policies alone. */
export type StorageAction = (typeof STORAGE_ACTIONS)[number];

const StorageCheck = Type.Object(
  { name: Type.String(), ok: Type.Boolean(), ms: Type.Number(), detail: Type.String() },
  strict,
);
/** One step of trying a backend out. */
export type StorageCheck = Static<typeof StorageCheck>;

export const ATTACHMENT_STATES = [
  'detached',
  'preparing',
  'prepared',
  'attached',
  'draining',
  'failed',
] as const;
export type AttachmentState = (typeof ATTACHMENT_STATES)[number];

export const BREAKER_STATES = ['closed', 'open', 'half-open', 'held'] as const;
/** Whether a store is asked: only where it is `closed`. `held` is open by an operator's hand. */
export type BreakerState = (typeof BREAKER_STATES)[number];

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) =>
  Type.Union([type, Type.Null()]);

/** What is in effect on one rank, and how its backend does. Holds no secret. */
const StorageStatus = Type.Object(
  {
    settings: StorageSettings,
    state: Type.Enum([...ATTACHMENT_STATES]),
    epoch: Nullable(Unsigned),
    /** Unix time in seconds. */
    attachedAt: Nullable(Type.Number()),
    health: Nullable(Type.Enum(['healthy', 'failing'])),
    breaker: Nullable(Type.Enum([...BREAKER_STATES])),
    /** What keeps the rank from being idle, such as `running=1`. */
    blockedBy: Type.Array(Type.String()),
    inFlight: Type.Object({ prefetch: Unsigned, backup: Unsigned }, strict),
    /** Pages that wait to be written. */
    queued: Unsigned,
    pagesRead: Unsigned,
    pagesWritten: Unsigned,
    errors: Unsigned,
    lastError: Nullable(Type.String()),
    usedBytes: Nullable(Unsigned),
    quotaBytes: Nullable(Unsigned),
  },
  strict,
);
export type StorageStatus = Static<typeof StorageStatus>;

const ClearCounts = { removed: Unsigned, failed: Unsigned };
export type ClearCounts = { removed: number; failed: number };
export interface Cleared extends ClearCounts {
  /** Why not everything was removed; undefined when it was. */
  problem: string | undefined;
}

export const StorageAnswer = Type.Union([
  Type.Object(
    { kind: Type.Literal('prepared'), action: Type.Enum([...STORAGE_ACTIONS]), settings: StorageSettings },
    strict,
  ),
  Type.Object({ kind: Type.Literal('done') }, strict),
  Type.Object({ kind: Type.Literal('refused'), code: Type.String(), message: Type.String() }, strict),
  Type.Object({ kind: Type.Literal('status'), status: StorageStatus }, strict),
  Type.Object({ kind: Type.Literal('checked'), checks: Type.Array(StorageCheck) }, strict),
  /** `problem` says why not everything was removed. */
  Type.Object({ kind: Type.Literal('cleared'), ...ClearCounts, problem: Nullable(Type.String()) }, strict),
]);
export type StorageAnswer = Static<typeof StorageAnswer>;
