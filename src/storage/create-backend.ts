import { failure } from '../shared/errors.ts';
import type { StorageDriver } from './driver.ts';
import { createDriver, listBackends, type Surroundings } from './factory.ts';
import { layerSettings, refuseLiteralKeys, splitLayerOptions } from './layer-options.ts';
import { type ConfigPlace, resolveConfig } from './resolve-config.ts';
import type { LayerSettings } from './stack.ts';

/** What backends that keep a quota by themselves call it. */
const OWN_QUOTA = 'max_size';

export interface CreatedBackend {
  /** Not open yet. */
  driver: StorageDriver;
  /** What its configuration asks for around it. */
  layers: LayerSettings;
  /** The backend's own options, with what they refer to. They may hold secrets. */
  own: Record<string, unknown>;
  /** Texts that must be seen nowhere. */
  secrets: string[];
}

/**
 * A backend as its configuration says. Throws `storage_unknown_backend` or `storage_config`, neither with a value of the
 * configuration in it.
 *
 * @param given its own options and those of layers, as they came from the user
 */
export function createBackend(
  name: string,
  given: Readonly<Record<string, unknown>>,
  place: ConfigPlace,
  surroundings: Surroundings = {},
): CreatedBackend {
  refuseLiteralKeys(name, given);
  const { config, secrets } = resolveConfig(name, given, place);
  const { layers, own } = splitLayerOptions(config);
  const driver = createDriver(name, own, surroundings);
  if (layers.quota !== undefined && hasOption(name, OWN_QUOTA)) {
    const expected = `is not for this backend, which counts by itself: use '${OWN_QUOTA}'`;
    throw failure('storage_config', { backend: name, path: 'quota', expected });
  }
  return { driver, layers: layerSettings(name, layers), own, secrets };
}

function hasOption(backend: string, option: string): boolean {
  const { options } = listBackends().find(({ name }) => name === backend) ?? {};
  return option in ((options as { properties?: object } | undefined)?.properties ?? {});
}
