import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { DEFAULT_PREFETCH, type PrefetchPolicy, type PrefetchSettings } from '../cache/prefetch-policy.ts';
import { failure } from '../shared/errors.ts';

/** Prefetch settings travel with those of the backend, under SGLang's names, and are taken out before it sees them. */
const Knobs = Type.Object({
  prefetch_threshold: Type.Optional(Type.Integer({ minimum: 1 })),
  prefetch_timeout_base: Type.Optional(Type.Number({ minimum: 0 })),
  prefetch_timeout_per_ki_token: Type.Optional(Type.Number({ minimum: 0 })),
  prefetch_timeout_max: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  /** SGLang hands it to backends that want the keys of whole prefixes; none here does. */
  hicache_storage_pass_prefix_keys: Type.Optional(Type.Boolean()),
});
type Knobs = Static<typeof Knobs>;

const knobs = Compile(Knobs);

/** What `--hicache-storage-backend-extra-config` means. */
export interface StorageConfig {
  /** The backend's own settings, not checked yet. */
  backend: Record<string, unknown>;
  prefetch: PrefetchSettings;
}

/**
 * Reads a backend's configuration: a JSON object, in which prefetch settings and the backend's own are mixed.
 *
 * @throws `storage_config` with the key that is wrong
 */
export function parseStorageConfig(json: string | undefined, policy: PrefetchPolicy): StorageConfig {
  const config = json === undefined || json.trim() === '' ? {} : parseObject(json);
  const given: Record<string, unknown> = {};
  const backend: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    if (Object.hasOwn(Knobs.properties, key)) given[key] = value;
    else backend[key] = value;
  }
  return { backend, prefetch: settings(checked(given), policy) };
}

function parseObject(json: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's own message quotes the text, which may hold a secret.
    throw failure('storage_config', { backend: 'the storage', path: '', expected: 'must be valid JSON' });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw failure('storage_config', { backend: 'the storage', path: '', expected: 'must be a JSON object' });
}

function checked(given: Record<string, unknown>): Knobs {
  if (knobs.Check(given)) return given;
  const [error] = knobs.Errors(given);
  const path = error?.instancePath.slice(1) ?? '';
  throw failure('storage_config', {
    backend: 'the storage',
    path,
    expected: error?.message ?? 'must be valid',
  });
}

function settings(given: Knobs, policy: PrefetchPolicy): PrefetchSettings {
  return {
    policy,
    threshold: given.prefetch_threshold ?? DEFAULT_PREFETCH.threshold,
    timeoutBase: given.prefetch_timeout_base ?? DEFAULT_PREFETCH.timeoutBase,
    timeoutPerKiToken: given.prefetch_timeout_per_ki_token ?? DEFAULT_PREFETCH.timeoutPerKiToken,
    timeoutMax: given.prefetch_timeout_max ?? DEFAULT_PREFETCH.timeoutMax,
  };
}
