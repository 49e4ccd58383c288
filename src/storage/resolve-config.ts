import { hostname } from 'node:os';
import { failure } from '../shared/errors.ts';
import { isReference, secretsOf } from '../shared/secrets.ts';

/** Where a configuration is resolved: every rank has values of its own. */
export interface ConfigPlace {
  rank: number;
  host: string;
  environment: Readonly<Record<string, string | undefined>>;
}

export function placeOfRank(rank: number): ConfigPlace {
  return { rank, host: hostname(), environment: process.env };
}

export interface ResolvedConfig {
  config: Record<string, unknown>;
  /** Texts that must be seen nowhere: secrets of the configuration, and everything that came from the environment. */
  secrets: string[];
}

/**
 * A backend's configuration as its driver takes it: `{"env": "NAME"}` is the variable's value, and in texts `{rank}` and
 * `{host}` are this rank's number and machine.
 *
 * @throws `storage_config` with the path of a variable that is not set
 */
export function resolveConfig(
  backend: string,
  given: Readonly<Record<string, unknown>>,
  place: ConfigPlace,
): ResolvedConfig {
  const fromEnvironment: string[] = [];
  const resolve = (value: unknown, path: string): unknown => {
    if (typeof value === 'string')
      return value.replaceAll('{rank}', String(place.rank)).replaceAll('{host}', place.host);
    if (Array.isArray(value)) return value.map((item, i) => resolve(item, `${path}.${i}`));
    if (typeof value !== 'object' || value === null) return value;
    if (isReference(value)) {
      const { env } = value;
      // Not what every object has, such as `toString`.
      const text = Object.hasOwn(place.environment, env) ? place.environment[env] : undefined;
      if (text === undefined) {
        const expected = `names the environment variable ${env}, which is not set`;
        throw failure('storage_config', { backend, path, expected });
      }
      fromEnvironment.push(text);
      return text;
    }
    return resolveFields(value, path);
  };
  const resolveFields = (fields: object, path: string) =>
    Object.fromEntries(
      Object.entries(fields).map(([key, inner]) => [
        key,
        resolve(inner, path === '' ? key : `${path}.${key}`),
      ]),
    );
  const config = resolveFields(given, '');
  return { config, secrets: [...fromEnvironment, ...secretsOf(config)] };
}
