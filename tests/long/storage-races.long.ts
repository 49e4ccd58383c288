import { it } from 'vitest';
import { checkRaces } from '../storage-control/support/races.ts';

it('operations on the storage, requests and deaths in many more orders leave all ranks agreed', () =>
  checkRaces(5000));
