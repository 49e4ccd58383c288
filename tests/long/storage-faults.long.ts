import { expect, it } from 'vitest';
import { MESSAGE_SCENARIOS, nameOf, play, STORE_SCENARIOS } from '../storage-control/support/scenarios.ts';

it.each([...MESSAGE_SCENARIOS, ...STORE_SCENARIOS].map((scenario) => ({ name: nameOf(scenario), scenario })))(
  '$name',
  async ({ scenario }) => {
    expect(await play(scenario)).toBeTruthy();
  },
);
