import { afterEach, expect, it, vi } from 'vitest';
import {
  engineEnvironment,
  RANK_ADDRESS_VARIABLE,
  rankEnvironment,
} from '../../src/ranks/rank-environment.ts';

afterEach(() => vi.unstubAllEnvs());

it('a rank has threads for files besides the one that decodes', () => {
  vi.stubEnv('UV_THREADPOOL_SIZE', undefined);
  expect(engineEnvironment().UV_THREADPOOL_SIZE).toBe('16');
});

it('the C library copies with vectors where the processor is slow at the other way', () => {
  vi.stubEnv('GLIBC_TUNABLES', undefined);
  expect(engineEnvironment('AMD EPYC').GLIBC_TUNABLES).toMatch(/rep_movsb_threshold/);
  expect(engineEnvironment('Intel(R) Xeon(R)').GLIBC_TUNABLES).toBeUndefined();
});

it("the operator's own settings stay", () => {
  vi.stubEnv('UV_THREADPOOL_SIZE', '5');
  vi.stubEnv('GLIBC_TUNABLES', 'glibc.malloc.arena_max=2');
  const environment = rankEnvironment('/tmp/socket');
  expect(environment).toMatchObject({
    UV_THREADPOOL_SIZE: '5',
    GLIBC_TUNABLES: 'glibc.malloc.arena_max=2',
    [RANK_ADDRESS_VARIABLE]: '/tmp/socket',
  });
  expect(engineEnvironment('AMD EPYC').GLIBC_TUNABLES).toBe('glibc.malloc.arena_max=2');
});
