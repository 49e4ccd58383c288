import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { failure } from '../shared/errors.ts';
import { DEFAULT_PREFETCH, type PrefetchSettings } from './prefetch-policy.ts';

/** Prefetch settings travel with those of the backend, under SGLang's names, and are taken out before it sees them. */
export const PrefetchOptions = Type.Object({
  prefetch_threshold: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'Tokens that a prompt must miss for its prefix to be asked for.',
      absent: `${DEFAULT_PREFETCH.threshold}`,
    }),
  ),
  prefetch_timeout_base: Type.Optional(
    Type.Number({
      minimum: 0,
      description: "Seconds that a request waits under the prefetch policy 'timeout'.",
      absent: `${DEFAULT_PREFETCH.timeoutBase}`,
    }),
  ),
  prefetch_timeout_per_ki_token: Type.Optional(
    Type.Number({
      minimum: 0,
      description: 'Seconds more for every 1024 tokens that it misses.',
      absent: `${DEFAULT_PREFETCH.timeoutPerKiToken}`,
    }),
  ),
  prefetch_timeout_max: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      description: 'Seconds that it waits at most.',
      absent: `${DEFAULT_PREFETCH.timeoutMax}`,
    }),
  ),
  hicache_storage_pass_prefix_keys: Type.Optional(
    Type.Boolean({
      description: 'Known for configurations of SGLang; no backend here asks for whole prefixes.',
      absent: 'false',
    }),
  ),
});
type PrefetchOptions = Static<typeof PrefetchOptions>;

const validOptions = Compile(PrefetchOptions);

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
  const isKnob = ([key]: [string, unknown]) => Object.hasOwn(PrefetchOptions.properties, key);
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

function checked(given: Record<string, unknown>): PrefetchOptions {
  if (validOptions.Check(given)) return given;
  const [error] = validOptions.Errors(given);
  const path = error?.instancePath.slice(1) ?? '';
  throw failure('storage_config', {
    backend: 'the storage',
    path,
    expected: error?.message ?? 'must be valid',
  });
}

function settings(given: PrefetchOptions): Omit<PrefetchSettings, 'policy'> {
  return {
    threshold: given.prefetch_threshold ?? DEFAULT_PREFETCH.threshold,
    timeoutBase: given.prefetch_timeout_base ?? DEFAULT_PREFETCH.timeoutBase,
    timeoutPerKiToken: given.prefetch_timeout_per_ki_token ?? DEFAULT_PREFETCH.timeoutPerKiToken,
    timeoutMax: given.prefetch_timeout_max ?? DEFAULT_PREFETCH.timeoutMax,
  };
}
