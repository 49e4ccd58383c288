import { expect, test } from 'vitest';
import { breakUnderLoad, outagesOfRedis } from '../support/outages.ts';
import { describeWith } from '../support/services/programs.ts';
import { REDIS_PACKAGES, REDIS_PROGRAMS } from '../support/services/redis.ts';

// `npm run test:long` goes on for minutes.
describeWith(REDIS_PROGRAMS, REDIS_PACKAGES, 'a Redis behind a bad network', () => {
  test('S7: it dies, hangs, slows down, returns garbage and fills up under load: answers stay right, none fails', async () => {
    const { backend, outages } = await outagesOfRedis();
    const { requests, fromStorage } = await breakUnderLoad(backend, outages, 3);
    expect(requests).toBeGreaterThan(16);
    expect(fromStorage).toBeGreaterThan(0);
  }, 300_000);
});
