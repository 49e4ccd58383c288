import { isDeepStrictEqual } from 'node:util';
import { failure } from '../shared/errors.ts';
import type {
  AttachChange,
  StorageAction,
  StorageChange,
  StorageSettings,
} from '../shared/storage-messages.ts';
import { PREFETCH_POLICIES } from './prefetch-policy.ts';
import { parseStorageConfig } from './storage-config.ts';
import { WRITE_POLICIES } from './write-policy.ts';

/** What a change comes down to. */
export interface StoragePlan {
  action: StorageAction;
  /** In effect once it was carried out. */
  settings: StorageSettings;
  /** What a backend that is to be attached is made of. */
  target: { backend: string; config: Record<string, unknown> } | undefined;
  /** Seconds. */
  readThrough: number;
  backfill: boolean;
}

/**
 * What is to be done to bring settings that are in effect to what an operator asks for. Pure: a change that is refused
 * here has changed nothing.
 *
 * @param current in effect on this rank
 * @throws `storage_policy`, `storage_attached`, `storage_config_differs`, `storage_config`, in this order of checks
 */
export function planStorage(current: StorageSettings, change: StorageChange): StoragePlan {
  switch (change.kind) {
    case 'attach':
      return planAttach(current, change);
    case 'detach':
      return {
        ...NO_BACKEND,
        action: current.backend === null ? 'none' : 'detach',
        settings: { ...current, backend: null, config: null },
      };
    case 'restore':
      return planRestore(current, change.settings);
  }
}

const NO_BACKEND = { target: undefined, readThrough: 0, backfill: false };

function planAttach(current: StorageSettings, change: AttachChange): StoragePlan {
  const { backend, replace, readThrough, backfill } = change;
  const policy =
    known('prefetch policy', PREFETCH_POLICIES, change.prefetchPolicy) ?? current.prefetch.policy;
  const writePolicy = known('write policy', WRITE_POLICIES, change.writePolicy) ?? current.writePolicy;
  const attached = current.backend;
  if (attached !== null && attached !== backend && !replace)
    throw failure('storage_attached', { attached, asked: backend });

  const asked = change.config === undefined ? undefined : parseStorageConfig(change.config);
  const prefetch = asked ? { ...asked.prefetch, policy } : { ...current.prefetch, policy };
  const before = parseStorageConfig(current.config ?? undefined).backend;
  const same =
    attached === backend && (isEmpty(asked?.backend ?? {}) || isDeepStrictEqual(asked?.backend, before));
  if (same) {
    const config = asked ? mergedText(change.config, asked, before) : current.config;
    return { ...NO_BACKEND, action: 'update', settings: { backend, config, prefetch, writePolicy } };
  }
  if (attached === backend && !replace) throw failure('storage_config_differs', { backend });
  return {
    action: attached === null ? 'attach' : 'switch',
    settings: { backend, config: change.config ?? null, prefetch, writePolicy },
    target: { backend, config: asked?.backend ?? {} },
    readThrough: attached === null ? 0 : readThrough,
    backfill,
  };
}

function planRestore(current: StorageSettings, settings: StorageSettings): StoragePlan {
  const { backend, config } = settings;
  if (backend === null)
    return { ...NO_BACKEND, action: current.backend === null ? 'none' : 'detach', settings };
  if (current.backend === backend && current.config === config)
    return { ...NO_BACKEND, action: 'update', settings };
  return {
    action: current.backend === null ? 'attach' : 'switch',
    settings,
    target: { backend, config: parseStorageConfig(config ?? undefined).backend },
    readThrough: 0,
    backfill: false,
  };
}

/** Names prefetch settings only: what is shown as in effect has to name the backend's own, too. */
function mergedText(
  text: string | undefined,
  asked: ReturnType<typeof parseStorageConfig>,
  before: Record<string, unknown>,
): string | null {
  if (!isEmpty(asked.backend) || isEmpty(before)) return text ?? null;
  return JSON.stringify({ ...before, ...asked.knobs });
}

function known<P extends string>(
  what: string,
  names: readonly P[],
  given: string | undefined,
): P | undefined {
  if (given === undefined) return undefined;
  const found = names.find((name) => name === given);
  if (found === undefined) throw failure('storage_policy', { what, given, known: names.join(', ') });
  return found;
}

function isEmpty(object: object): boolean {
  return Object.keys(object).length === 0;
}
