import { createInterface } from 'node:readline/promises';

/** Whether somebody at the terminal says yes; anything else, and the end of the input, is no. */
export async function isConfirmed(
  question: string,
  signal: AbortSignal,
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Promise<boolean> {
  const terminal = createInterface({ input, output });
  const closed = new Promise<string>((resolve) =>
    terminal.once('close', () => {
      // What comes next does not belong behind the question.
      output.write('\n');
      resolve('');
    }),
  );
  try {
    const answer = await Promise.race([terminal.question(`${question} [y/N] `, { signal }), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    terminal.close();
  }
}
