import type { OperationReport, RankStorage } from '../tokenizer-manager/storage/operation.ts';
import type { RunningOperation } from '../tokenizer-manager/storage/operation-lock.ts';

/** What GET /hicache/storage-backend answers: SGLang's four fields, and ours. Everything was asked of the ranks. */
export function storageStatus(
  ranks: readonly RankStorage[],
  operation: RunningOperation | undefined,
): object {
  const known = ranks.flatMap(({ status }) => status ?? []);
  // All ranks have the same in effect, but for one that could not have its storage.
  const first = known.find(({ settings }) => settings.backend !== null) ?? known[0];
  const states = [...new Set((known.length > 0 ? known : ranks).map(({ state }) => state))];
  const { prefetch } = first?.settings ?? {};
  return {
    hicache_storage_backend: first?.settings.backend ?? null,
    hicache_storage_backend_extra_config: first?.settings.config ?? null,
    hicache_storage_prefetch_policy: prefetch?.policy ?? null,
    hicache_write_policy: first?.settings.writePolicy ?? null,
    state: states.length === 1 ? states[0] : 'mixed',
    epoch: first?.epoch ?? null,
    attached_at: first?.attachedAt ?? null,
    prefetch: prefetch && {
      threshold: prefetch.threshold,
      timeout_base: prefetch.timeoutBase,
      timeout_per_ki_token: prefetch.timeoutPerKiToken,
      timeout_max: prefetch.timeoutMax,
    },
    operation: operation ? operationView(operation) : null,
    ranks: ranks.map(rankView),
  };
}

function operationView({ id, kind, backend, mode, startedAt }: RunningOperation): object {
  return { id, kind, backend: backend ?? null, mode: mode ?? null, started_at: startedAt / 1000 };
}

function rankView({ rank, state, status }: RankStorage): object {
  if (!status) return { rank, state };
  return {
    rank,
    state,
    epoch: status.epoch,
    backend: status.settings.backend,
    health: status.health,
    breaker: status.breaker,
    blocked_by: status.blockedBy,
    inflight: status.inFlight,
    queued: status.queued,
    pages_read: status.pagesRead,
    pages_written: status.pagesWritten,
    errors: status.errors,
    last_error: status.lastError,
    bytes_used: status.usedBytes,
  };
}

/** What happened, as SGLang says it: one fixed line, then one for each rank. */
export function reportText(line: string, { ranks }: OperationReport): string {
  return [line, ...ranks.map(({ rank, message }) => `rank ${rank}: ${message}`), ''].join('\n');
}

export function reportJson(line: string, { id, milliseconds, ranks }: OperationReport): object {
  return {
    ok: true,
    message: line,
    operation: id,
    duration_ms: Math.round(milliseconds),
    ranks: ranks.map(({ rank, message }) => ({ rank, message })),
  };
}
