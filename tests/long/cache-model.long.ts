import { it } from 'vitest';
import { checkModel } from '../cache/support/model.ts';

it('answers right and leaks nothing in many more sequences of operations', () => checkModel(10_000));
