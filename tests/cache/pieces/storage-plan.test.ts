import { describe, expect, it } from 'vitest';
import { DEFAULT_PREFETCH } from '../../../src/cache/prefetch-policy.ts';
import { parseStorageConfig } from '../../../src/cache/storage-config.ts';
import { planStorage } from '../../../src/cache/storage-plan.ts';
import type { AttachChange, StorageSettings } from '../../../src/shared/storage-messages.ts';

const DETACHED: StorageSettings = {
  backend: null,
  config: null,
  prefetch: DEFAULT_PREFETCH,
  writePolicy: 'write_through',
};
const CONFIG = '{ "path":"/a", "prefetch_threshold": 8, "prefetch_timeout_max": 7 }';
const ATTACHED: StorageSettings = {
  ...DETACHED,
  backend: 'file',
  config: CONFIG,
  prefetch: { ...DEFAULT_PREFETCH, threshold: 8, timeoutMax: 7 },
};

function change(fields: Partial<AttachChange> = {}): AttachChange {
  return { kind: 'attach', backend: 'file', replace: false, readThrough: 5, backfill: true, ...fields };
}

const refused = (code: string, message: string | RegExp = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('while nothing is attached', () => {
  it('an attach has the text as it was sent, its knobs, and the policies that it names', () => {
    const asked = change({ config: CONFIG, prefetchPolicy: 'wait_complete', writePolicy: 'write_back' });
    expect(planStorage(DETACHED, asked)).toEqual({
      action: 'attach',
      settings: {
        backend: 'file',
        config: CONFIG,
        prefetch: { ...ATTACHED.prefetch, policy: 'wait_complete' },
        writePolicy: 'write_back',
      },
      target: { backend: 'file', config: { path: '/a' } },
      readThrough: 0,
      backfill: true,
    });
  });

  it('one without a configuration keeps what is in effect', () => {
    const current = { ...ATTACHED, backend: null, config: null };
    expect(planStorage(current, change()).settings).toEqual({ ...current, backend: 'file' });
  });

  it('a detach is nothing', () => {
    const plan = planStorage(DETACHED, { kind: 'detach' });
    expect(plan).toMatchObject({ action: 'none', settings: DETACHED, target: undefined });
  });
});

describe('while a backend is attached', () => {
  it.each([undefined, '', '{}', CONFIG, '{"prefetch_timeout_max":7,"path":"/a","prefetch_threshold":8}'])(
    'the same one with the configuration %j is an update of policies',
    (config) => {
      const asked = change({ ...(config === undefined ? {} : { config }), writePolicy: 'write_back' });
      const { action, settings, target } = planStorage(ATTACHED, asked);
      expect({ action, target }).toEqual({ action: 'update', target: undefined });
      expect(settings).toMatchObject({ backend: 'file', writePolicy: 'write_back' });
      // What is shown is what is in effect: it names the folder that is used.
      expect(parseStorageConfig(settings.config ?? undefined)).toMatchObject({
        backend: { path: '/a' },
        prefetch: { threshold: settings.prefetch.threshold, timeoutMax: settings.prefetch.timeoutMax },
      });
    },
  );

  it('O3: knobs alone are taken over, and shown beside the options that stay', () => {
    const { action, settings } = planStorage(ATTACHED, change({ config: '{"prefetch_timeout_base":1}' }));
    expect(action).toBe('update');
    expect(settings.prefetch).toEqual({ ...DEFAULT_PREFETCH, timeoutBase: 1 });
    expect(JSON.parse(settings.config ?? '')).toEqual({ path: '/a', prefetch_timeout_base: 1 });
  });

  it('O3: another configuration is refused, and with `replace` a switch', () => {
    const asked = change({ config: '{"path":"/b"}' });
    expect(() => planStorage(ATTACHED, asked)).toThrow(refused('storage_config_differs', /Detach first/));
    expect(planStorage(ATTACHED, { ...asked, replace: true })).toMatchObject({
      action: 'switch',
      target: { backend: 'file', config: { path: '/b' } },
      settings: { config: '{"path":"/b"}' },
      readThrough: 5,
    });
  });

  it('another backend is refused with both names, and with `replace` a switch', () => {
    const asked = change({ backend: 'memory' });
    expect(() => planStorage(ATTACHED, asked)).toThrow(refused('storage_attached', /'file'.*'memory'/));
    const { action, target } = planStorage(ATTACHED, { ...asked, replace: true });
    expect({ action, target }).toEqual({ action: 'switch', target: { backend: 'memory', config: {} } });
  });

  it('a detach keeps policies and knobs', () => {
    const { action, settings } = planStorage(ATTACHED, { kind: 'detach' });
    expect(action).toBe('detach');
    expect(settings).toEqual({ ...ATTACHED, backend: null, config: null });
  });
});

it('O2: a refusal changes nothing of what is in effect, and comes in the order of checks', () => {
  const bad = { prefetchPolicy: 'bogus', backend: 'memory', config: '{"prefetch_threshold":0}' };
  const before = structuredClone(ATTACHED);
  const steps: [Partial<AttachChange>, string][] = [
    [bad, 'storage_policy'],
    [{ ...bad, prefetchPolicy: 'timeout', writePolicy: 'bogus' }, 'storage_policy'],
    [{ ...bad, prefetchPolicy: 'timeout' }, 'storage_attached'],
    [{ ...bad, prefetchPolicy: 'timeout', backend: 'file' }, 'storage_config'],
    [{ config: '{"path":"/b"}' }, 'storage_config_differs'],
  ];
  for (const [fields, code] of steps)
    expect(() => planStorage(ATTACHED, change({ writePolicy: 'write_back', ...fields }))).toThrow(
      refused(code),
    );
  expect(ATTACHED).toEqual(before);
});

describe('a rank that starts', () => {
  it('is brought to what the others have in effect', () => {
    const restore = { kind: 'restore', settings: ATTACHED } as const;
    expect(planStorage(DETACHED, restore)).toMatchObject({
      action: 'attach',
      settings: ATTACHED,
      target: { backend: 'file', config: { path: '/a' } },
    });
    expect(planStorage(ATTACHED, restore).action).toBe('update');
    expect(planStorage({ ...ATTACHED, config: '{}' }, restore).action).toBe('switch');
    expect(planStorage(ATTACHED, { ...restore, settings: DETACHED }).action).toBe('detach');
    expect(planStorage(DETACHED, { ...restore, settings: DETACHED }).action).toBe('none');
  });
});

describe('knobs of prefetching', () => {
  it.each([
    ['prefetch_threshold', 1],
    ['prefetch_timeout_base', 0],
    ['prefetch_timeout_base', 0.5],
    ['prefetch_timeout_per_ki_token', 0],
    ['prefetch_timeout_max', 0.1],
    ['hicache_storage_pass_prefix_keys', true],
  ])('%s may be %j, and the backend does not see it', (key, value) => {
    const { backend, knobs } = parseStorageConfig(JSON.stringify({ path: '/a', [key]: value }));
    expect(backend).toEqual({ path: '/a' });
    expect(knobs).toEqual({ [key]: value });
  });

  it('have defaults', () => {
    const defaults = { threshold: 256, timeoutBase: 2, timeoutPerKiToken: 0.1, timeoutMax: 30 };
    for (const config of [undefined, '', ' ', '{}'])
      expect(parseStorageConfig(config).prefetch).toEqual(defaults);
  });

  it.each<[string, unknown[], RegExp]>([
    ['prefetch_threshold', [0, -1, 1.5, '8', null, true, [8]], /integer|>= 1/],
    ['prefetch_timeout_base', [-0.1, '2', null, [], {}], /number|>= 0/],
    ['prefetch_timeout_per_ki_token', [-1, '0.1', null], /number|>= 0/],
    ['prefetch_timeout_max', [0, -1, '30', null], /number|> 0/],
    ['hicache_storage_pass_prefix_keys', [0, 'true', null], /boolean/],
  ])('%s is refused with its name and what was expected', (key, values, expected) => {
    for (const value of values)
      expect(() => parseStorageConfig(JSON.stringify({ [key]: value })), JSON.stringify(value)).toThrow(
        refused('storage_config', new RegExp(`'${key}' must be .*(?:${expected.source})`)),
      );
  });
});

it.each([
  ['@/etc/passwd', /files are read by the command line only/],
  [' @config.yaml', /files are read by the command line only/],
  ['{"password":hunter2}', /must be valid JSON/],
  ['[]', /must be a JSON object/],
  ['null', /must be a JSON object/],
  ['"hunter2"', /must be a JSON object/],
])('the configuration %j is refused, and not quoted', (config, message) => {
  const thrown = expect.objectContaining({
    code: 'storage_config',
    message: expect.not.stringMatching(/hunter2|passwd|yaml/),
  });
  expect(() => parseStorageConfig(config)).toThrow(refused('storage_config', message));
  expect(() => parseStorageConfig(config)).toThrow(thrown);
});

it('a name such as `__proto__` is one of the backend’s options', () => {
  const { backend } = parseStorageConfig('{"__proto__":{"path":"/x"},"constructor":1}');
  expect(Object.keys(backend)).toEqual(['__proto__', 'constructor']);
  expect('path' in backend).toBe(false);
});
