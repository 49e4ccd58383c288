import { it } from 'vitest';
import { checkRaces } from './support/races.ts';

// A failure prints a seed and a path; this repeats it:
// TIERKV_SEED=1 TIERKV_PATH=2:3 npm test -- tests/storage-control/races.test.ts
// `npm run test:long` runs many more.
it('S10: operations, requests, deaths and the end of the server in any order leave all ranks agreed and nothing held', async () => {
  await checkRaces(300);
}, 300_000);
