import { random } from '../../../src/models/random.ts';

/** One wording of a request in this many is kept out of training, to be asked in evaluations. */
const HELD_OUT = 20;

/** Whether the model is never trained on a story request with this text. */
export function isHeldOut(request: string): boolean {
  return random(`held-out/${request}`).below(HELD_OUT) === 0;
}
