import { describe, expect, it } from 'vitest';
import { MESSAGE_SCENARIOS, nameOf, play, STORE_SCENARIOS } from './support/scenarios.ts';

/** Every third, so that each rank has its turn; `npm run test:long` plays them all. */
const some = <T>(scenarios: readonly T[]) => scenarios.filter((_, i) => Math.floor(i / 3) % 3 === i % 3);

describe('O1: whatever happens to one rank, all ranks have the new state or all the old one', () => {
  it.each(some(MESSAGE_SCENARIOS).map((scenario) => ({ name: nameOf(scenario), scenario })))(
    '$name',
    async ({ scenario }) => {
      await play(scenario);
    },
  );

  it.each(some(STORE_SCENARIOS).map((scenario) => ({ name: nameOf(scenario), scenario })))(
    '$name',
    async ({ scenario }) => {
      const { trouble } = scenario;
      const isSlow = 'open' in trouble && trouble.open === 1000;
      expect((await play(scenario)) === 'ok').toBe(isSlow);
    },
  );
});
