import { it } from 'vitest';
import { killRounds } from '../support/kill-round.ts';

it('servers that are killed while they write leave whole pages, in a hundred rounds', async () => {
  await killRounds(100);
});
