import { expect, it } from 'vitest';
import { checkModel, Model } from './support/model.ts';

// A failure prints a seed and a path; this repeats it:
// TIERKV_SEED=1 TIERKV_PATH=2:3 npm test -- tests/cache/model.test.ts
// `npm run test:long` runs many more.
it('answers right and leaks nothing under any sequence of requests, aborts, storages, failures and time', async () => {
  await checkModel(300);
  expect(Model.operations).toBeGreaterThan(process.env.TIERKV_PATH === undefined ? 10_000 : 0);
}, 120_000);
