import { describe, expect, it } from 'vitest';
import { MESSAGE_SCENARIOS, play, type Scenario, STORE_SCENARIOS } from './support/scenarios.ts';

function nameOf({ operation, mode, rank, trouble }: Scenario): string {
  const what =
    'open' in trouble
      ? `its store ${typeof trouble.open === 'number' ? `takes ${trouble.open} ms to open` : trouble.open}`
      : `${trouble.step} ${trouble.fault}${trouble.every ? ' every time' : ''}`;
  return `${operation} (${mode}), rank ${rank}: ${what}`;
}

describe('O1: whatever happens to one rank, all ranks have the new state or all the old one', () => {
  it.each(MESSAGE_SCENARIOS.map((scenario) => ({ name: nameOf(scenario), scenario })))(
    '$name',
    async ({ scenario }) => {
      await play(scenario);
    },
  );

  it.each(STORE_SCENARIOS.map((scenario) => ({ name: nameOf(scenario), scenario })))(
    '$name',
    async ({ scenario }) => {
      const { trouble } = scenario;
      const isSlow = 'open' in trouble && trouble.open === 1000;
      expect((await play(scenario)) === 'ok').toBe(isSlow);
    },
  );
});
