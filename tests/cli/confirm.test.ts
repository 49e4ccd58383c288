import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { isConfirmed } from '../../src/cli/storage/confirm.ts';

const never = new AbortController().signal;

/** A terminal at which somebody types; and what it shows. */
function terminal(typed: string) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  input.end(typed);
  return { input, output, shown: () => String(output.read() ?? '') };
}

describe('a question at the terminal', () => {
  it.each([
    ['y\n', true],
    [' YES \n', true],
    ['n\n', false],
    ['\n', false],
    ['yesterday\n', false],
    ['', false],
  ])('that is answered with %j is %s', async (typed, expected) => {
    const { input, output, shown } = terminal(typed);
    expect(await isConfirmed('Remove?', never, input, output)).toBe(expected);
    expect(shown()).toContain('Remove? [y/N] ');
  });

  it('is no when the command is interrupted meanwhile', async () => {
    const end = new AbortController();
    const answered = isConfirmed('Remove?', end.signal, new PassThrough(), new PassThrough());
    end.abort();
    expect(await answered).toBe(false);
  });
});
