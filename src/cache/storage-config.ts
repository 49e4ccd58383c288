import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { failure } from '../shared/errors.ts';
import { DEFAULT_PREFETCH, type PrefetchSettings } from './prefetch-policy.ts';

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

/** What an `extra_config` means. */
export interface StorageConfig {
  /** The backend's own settings, not checked yet. */
  backend: Record<string, unknown>;
  /** Prefetch settings as they were given, by their names there. */
  knobs: Record<string, unknown>;
  prefetch: Omit<PrefetchSettings, 'policy'>;
}

/**
 * Reads a configuration: a JSON object, in which prefetch settings and the backend's own are mixed. Prefetch settings
 * that it does not name have their defaults.
 *
 * @throws `storage_config` with the key that is wrong
 */
export function parseStorageConfig(json: string | undefined): StorageConfig {
  const config = json === undefined || json.trim() === '' ? {} : parseObject(json);
  const entries = Object.entries(config);
  const isKnob = ([key]: [string, unknown]) => Object.hasOwn(Knobs.properties, key);
  // Not by assignment: `__proto__` is a name like others, and is refused like others.
  const given = Object.fromEntries(entries.filter(isKnob));
  const backend = Object.fromEntries(entries.filter((entry) => !isKnob(entry)));
  return { backend, knobs: given, prefetch: settings(checked(given)) };
}

function parseObject(json: string): Record<string, unknown> {
  if (json.trimStart().startsWith('@')) {
    const expected = 'must be JSON: files are read by the command line only';
    throw failure('storage_config', { backend: 'the storage', path: '', expected });
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's own message quotes the text, which may hold a secret.
    throw failure('storage_config', { backend: 'the storage', path: '', expected: 'must be valid JSON' });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
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

function settings(given: Knobs): Omit<PrefetchSettings, 'policy'> {
  return {
    threshold: given.prefetch_threshold ?? DEFAULT_PREFETCH.threshold,
    timeoutBase: given.prefetch_timeout_base ?? DEFAULT_PREFETCH.timeoutBase,
    timeoutPerKiToken: given.prefetch_timeout_per_ki_token ?? DEFAULT_PREFETCH.timeoutPerKiToken,
    timeoutMax: given.prefetch_timeout_max ?? DEFAULT_PREFETCH.timeoutMax,
  };
}
