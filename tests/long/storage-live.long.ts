import { it } from 'vitest';
import { changeUnderLoad } from '../support/live-operations.ts';

it('answers stay right, and none fails, in minutes of changing the storage under load', async () => {
  console.log(await changeUnderLoad(240));
});
