import { describe, expect, it } from 'vitest';
import { placeOfRank, resolveConfig } from '../../src/storage/resolve-config.ts';

const place = { rank: 3, host: 'box', environment: { SECRET: 'hunter2', EMPTY: '', PATTERN: 'of {rank}' } };

describe('a configuration is resolved on its rank', () => {
  it('O9: {rank}, {host} and variables are those of the rank, at any depth', () => {
    const given = {
      path: '/data/{host}/{rank}/{rank}',
      nested: { list: ['{rank}', { deep: { env: 'SECRET' } }], password: { env: 'SECRET' } },
      number: 5,
      none: null,
      flag: true,
    };
    const before = structuredClone(given);
    expect(resolveConfig('file', given, place).config).toEqual({
      path: '/data/box/3/3',
      nested: { list: ['3', { deep: 'hunter2' }], password: 'hunter2' },
      number: 5,
      none: null,
      flag: true,
    });
    expect(given).toEqual(before);
  });

  it('a variable’s value is taken as it is, and an empty one is a value', () => {
    const { config } = resolveConfig('file', { a: { env: 'PATTERN' }, b: { env: 'EMPTY' } }, place);
    expect(config).toEqual({ a: 'of {rank}', b: '' });
  });

  it.each<[object, string]>([
    [{ path: { env: 'NOSUCH' } }, 'path'],
    [{ a: [{ b: { env: 'NOSUCH' } }] }, 'a.0.b'],
    [{ a: { env: 'toString' } }, 'a'],
  ])('a variable that is not set is refused with its path: %j', (config, path) => {
    expect(() => resolveConfig('file', { ...config }, place)).toThrow(
      expect.objectContaining({
        code: 'storage_config',
        message: expect.stringMatching(`^Storage backend 'file': '${path}' names the environment variable`),
      }),
    );
  });

  it('an object that has more than "env" is no reference', () => {
    const config = { a: { env: 'SECRET', other: 1 }, b: { env: 5 } };
    expect(resolveConfig('file', config, place).config).toEqual(config);
  });

  it('says what must be seen nowhere: secrets, and what came from the environment', () => {
    const { secrets } = resolveConfig('file', { path: { env: 'SECRET' }, token: 'abcdef' }, place);
    expect(secrets.toSorted()).toEqual(['abcdef', 'hunter2']);
  });

  it('names of fields mean nothing but themselves', () => {
    const given = JSON.parse('{"__proto__":{"path":"/x"}}') as Record<string, unknown>;
    const { config } = resolveConfig('file', given, place);
    expect(Object.keys(config)).toEqual(['__proto__']);
    expect('path' in config).toBe(false);
  });

  it('a rank is on this machine', () => {
    expect(placeOfRank(2)).toMatchObject({ rank: 2, environment: process.env });
  });
});
