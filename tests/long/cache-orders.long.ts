import path from 'node:path';
import { it } from 'vitest';
import { ENGINE, playOrder, randomSettings, rightAnswers } from '../cache/support/orders.ts';
import { temporaryFolder } from '../storage/support/folders.ts';
import { useModel } from '../support/tiny-engine.ts';

const model = useModel('tiny', ENGINE);

it('greedy answers are those without a cache, with any settings and in any order', async () => {
  const folder = await temporaryFolder();
  const expected = await rightAnswers(model.engine);
  for (let seed = 0; seed < 500; seed++) {
    // Some lives find what others with other settings have stored.
    const place = path.join(folder, String(seed % 7));
    await playOrder(model.engine, randomSettings(seed), seed, expected, place);
  }
});
