import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Failure } from '../../src/shared/errors.ts';
import { createBackend } from '../../src/storage/create-backend.ts';
import { listBackends } from '../../src/storage/factory.ts';
import { LayerOptions, layerSettings } from '../../src/storage/layer-options.ts';
import { describeOptions } from '../../src/storage/option-texts.ts';

const KEY = 'ab'.repeat(32);
const PLACE = {
  rank: 3,
  host: 'node-a',
  environment: { KEY, OLD: 'cd'.repeat(32), SHORT: 'abcdef' },
};

const layersOf = (config: object, backend = 'memory') =>
  createBackend(backend, config as Record<string, unknown>, PLACE).layers;

function refusal(config: object, backend = 'memory'): Failure {
  try {
    layersOf(config, backend);
  } catch (error) {
    return error as Failure;
  }
  return expect.unreachable('it was not refused');
}

test('every option says what it means and its default, and none is one of a backend’s own', () => {
  for (const option of describeOptions(LayerOptions)) {
    expect(option.description, option.name).toMatch(/^[A-Z].*\.$/);
    expect(option.type, option.name).not.toBe('');
    expect(option.otherwise, option.name).not.toBe('');
  }
  for (const { name, options } of listBackends()) {
    const own = Object.keys((options as { properties?: object }).properties ?? {});
    expect(
      own.filter((option) => Object.hasOwn(LayerOptions.properties, option)),
      name,
    ).toEqual([]);
  }
});

test('the documentation says the same of every option', () => {
  const page = readFileSync(new URL('../../docs/storage-layers.md', import.meta.url), 'utf8');
  for (const { name, otherwise, description } of describeOptions(LayerOptions)) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` `));
    const cells = row?.split('|').map((cell) => cell.trim().replaceAll('`', ''));
    expect(cells?.slice(2, 4), name).toEqual([otherwise, description]);
  }
});

test('without options there is a breaker and nothing else', () => {
  const breaker = { failures: 5, error_rate: 0.5, window: 30, backoff: 1, max_backoff: 60 };
  for (const config of [{}, { breaker: true }, { breaker: {} }, { compress: false, encrypt: false }])
    expect(layersOf(config)).toEqual({ breaker, compress: undefined, encrypt: undefined, quota: undefined });
});

test('options of layers are taken out before the backend sees the rest, whatever the backend', () => {
  const config = {
    breaker: false,
    compress: true,
    encrypt: { key: { env: 'KEY' }, old_keys: [{ env: 'OLD' }], old_key_files: ['/keys/{host}-{rank}'] },
  };
  const { layers, secrets } = createBackend('memory', config, PLACE);
  expect(layers).toEqual({
    breaker: undefined,
    compress: { level: 1 },
    encrypt: [
      { option: 'encrypt.key', text: KEY },
      { option: 'encrypt.old_keys.0', text: PLACE.environment.OLD },
      { option: 'encrypt.old_key_files.0', file: '/keys/node-a-3' },
    ],
    quota: undefined,
  });
  expect(secrets).toContain(KEY);
  expect(createBackend('file', { path: '/nowhere', ...config }, PLACE).driver.name).toBe('file');
});

test.each<[object, string, RegExp]>([
  [{ breaker: { failures: 0 } }, 'breaker.failures', /must be >= 1/],
  [{ breaker: { fails: 1 } }, 'breaker.fails', /is not known here/],
  [{ breaker: 7 }, 'breaker', /must be object/],
  [{ compress: { level: 'much' } }, 'compress.level', /must be integer/],
  [{ compress: { level: 99 } }, 'compress.level', /must be <= 19/],
  [{ encrypt: {} }, 'encrypt', /must have one of 'key' and 'key_file'/],
  [{ encrypt: true }, 'encrypt', /must be object/],
  [{ encrypt: { key: { env: 'KEY' }, key_file: '/keys/k' } }, 'encrypt', /must have one of/],
  [{ encrypt: { key: { env: 'SHORT' } } }, 'encrypt.key', /must be a key: 32 bytes/],
  [{ encrypt: { key: { env: 'KEY' }, old_keys: [{ env: 'SHORT' }] } }, 'encrypt.old_keys.0', /must be a key/],
  [{ encrypt: { key: { env: 'NOWHERE' } } }, 'encrypt.key', /NOWHERE, which is not set/],
  [{ encrypt: { key: KEY } }, 'encrypt.key', /must be \{"env": "NAME"\}/],
  [{ encrypt: { key: { env: 'KEY' }, old_keys: [KEY] } }, 'encrypt.old_keys.0', /must be \{"env": "NAME"\}/],
  [{ quota: 'much' }, 'quota', /must be a number of bytes/],
  [{ quota: 0 }, 'quota', /must be more than nothing/],
  [{ nosuch: 1 }, 'nosuch', /is not known here/],
])('%j is refused with its path and what was expected', (config, path, expected) => {
  // It has no quota of its own.
  const { code, message } = refusal(config, 'redis');
  expect(code).toBe('storage_config');
  expect(message).toContain(`'${path}'`);
  expect(message).toMatch(expected);
  expect(message).not.toContain(KEY);
});

test('a quota is a number of bytes or a text', () => {
  expect(layerSettings('other', { quota: '2GB' }).quota).toBe(2_000_000_000);
  expect(layerSettings('other', { quota: 4096 }).quota).toBe(4096);
});

test('a quota for a backend that counts by itself is refused, naming that option', () => {
  expect(refusal({ quota: '1GB' }, 'file').message).toMatch(/'quota' .* use 'max_size'/);
});
