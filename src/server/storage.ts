import type { Logger } from 'pino';
import { parseStorageConfig } from '../cache/storage-config.ts';
import type { Rank } from '../ranks/rank.ts';
import { systemClock } from '../shared/clock.ts';
import { failure, toFailure } from '../shared/errors.ts';
import type { AttachChange, OperationMode, StorageSettings } from '../shared/storage-messages.ts';
import { createBackend } from '../storage/create-backend.ts';
import { placeOfRank } from '../storage/resolve-config.ts';
import type { Caller, OperationRecord } from '../tokenizer-manager/storage/operation.ts';
import { StorageCoordinator } from '../tokenizer-manager/storage/storage-coordinator.ts';
import type { ServerOptions } from './start.ts';

/** A store that is slow when the server starts may take so long; nothing waits for it. */
const START_ATTACH_MS = 60_000;
/** How long requests wait at start for what is stored; a store that takes its time is not waited for. */
const START_GRACE_MS = 2_000;
/** At the end, how long what waits is still written. */
const LAST_WRITES_MS = 2_000;

interface ServerStorageOptions {
  options: Pick<
    ServerOptions,
    'storageBackend' | 'storageConfig' | 'prefetchPolicy' | 'writePolicy' | 'cache' | 'log'
  >;
  ranks: () => readonly Rank[];
  fingerprint: () => Promise<string>;
  onEnded: (record: OperationRecord) => void;
}

/**
 * What changes the storage of all ranks of this server. What the command line names is checked here, and attached by
 * {@link attachAtStart}, as any other backend is.
 *
 * @throws `bad_option`, `storage_config`, `storage_unknown_backend` for a command line that makes no sense
 */
export function createStorage({
  options,
  ranks,
  fingerprint,
  onEnded,
}: ServerStorageOptions): StorageCoordinator {
  checkCommandLine(options);
  const { log } = options;
  const { prefetch } = parseStorageConfig(options.storageConfig);
  const settings: StorageSettings = {
    backend: null,
    config: null,
    prefetch: { ...prefetch, policy: options.prefetchPolicy },
    writePolicy: options.writePolicy,
  };
  return new StorageCoordinator({
    ranks,
    clock: systemClock,
    settings,
    fingerprint,
    onEnded(record) {
      audit(log, record);
      onEnded(record);
    },
    onUnrestored: (rank, reason) => log.error({ rank, reason }, 'the rank serves without its storage'),
  });
}

/** At start a wrong configuration is refused. A store that cannot be reached is none: the server serves without it. */
function checkCommandLine({ storageBackend, storageConfig, cache }: ServerStorageOptions['options']): void {
  const { backend: config } = parseStorageConfig(storageConfig);
  if (storageBackend === undefined) return;
  if (!cache.hierarchical) {
    const reason = '--hicache-storage-backend needs the hierarchical cache, which is disabled.';
    throw failure('bad_option', { reason });
  }
  createBackend(storageBackend, config, placeOfRank(0));
}

/** Attaches what the command line names. Never rejects; resolves when that is done, or when it takes too long to wait. */
export async function attachAtStart(
  storage: StorageCoordinator,
  backend: string,
  config: string | undefined,
  log: Logger,
): Promise<void> {
  const change: AttachChange = {
    kind: 'attach',
    backend,
    ...(config === undefined ? {} : { config }),
    replace: false,
    readThrough: 0,
    backfill: true,
  };
  const attached = storage
    .attach(change, orderOfServer('live', START_ATTACH_MS, 'command-line'))
    .catch((error: unknown) =>
      log.error({ reason: toFailure(error).message }, 'the server serves without its storage'),
    );
  await Promise.race([attached, systemClock.sleep(START_GRACE_MS)]);
}

/** Detaches at the end: writes what waits, for a moment. Never rejects. */
export async function detachAtEnd(storage: StorageCoordinator): Promise<void> {
  if (storage.decided.backend === null) return;
  await storage
    .detach(orderOfServer('drain', LAST_WRITES_MS, 'shutdown'))
    .catch(() => storage.detach(orderOfServer('live', LAST_WRITES_MS, 'shutdown')))
    // The ranks let go of it when they end.
    .catch(() => undefined);
}

function orderOfServer(mode: OperationMode, timeoutMs: number, key: string) {
  const by: Caller = { key };
  return { mode, timeoutMs, by };
}

function audit(log: Logger, { operation, by, outcome, milliseconds, ranks }: OperationRecord): void {
  const { id, kind, backend, mode } = operation;
  const line = { operation: id, kind, backend, mode, by, outcome, ms: Math.round(milliseconds), ranks };
  log[outcome === 'ok' ? 'info' : 'warn'](line, 'storage operation');
}
