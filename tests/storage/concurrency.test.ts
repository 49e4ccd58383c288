import { expect, test, vi } from 'vitest';
import { sharedQuestion, unlessAborted } from '../../src/storage/concurrency.ts';

/** Questions, each answered by the test with its own number. */
function questions() {
  const asked: PromiseWithResolvers<number>[] = [];
  const ask = sharedQuestion(() => {
    const question = Promise.withResolvers<number>();
    asked.push(question);
    return question.promise;
  });
  return { asked, ask };
}

test('who asks while a question is under way shares the next one, never an answer to an older question', async () => {
  const { asked, ask } = questions();
  const first = ask();
  const later = [ask(), ask(), ask()];
  expect(asked).toHaveLength(1);
  asked[0]!.resolve(1);
  expect(await first).toBe(1);
  await Promise.resolve();
  expect(asked).toHaveLength(2);
  const last = ask();
  asked[1]!.resolve(2);
  expect(await Promise.all(later)).toEqual([2, 2, 2]);
  await Promise.resolve();
  asked[2]!.resolve(3);
  expect(await last).toBe(3);
  const alone = ask();
  asked[3]!.resolve(4);
  expect(await alone).toBe(4);
});

test('a question that fails fails for those who shared it, and is asked again for the next', async () => {
  const { asked, ask } = questions();
  const first = ask();
  const second = ask();
  asked[0]!.reject(new Error('no answer'));
  await expect(first).rejects.toThrow('no answer');
  await Promise.resolve();
  asked[1]!.resolve(2);
  expect(await second).toBe(2);
});

test('work that fails after its signal has aborted is nobody’s unhandled rejection', async () => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  const before = Promise.withResolvers<void>();
  const during = Promise.withResolvers<void>();
  const controller = new AbortController();
  const calls = [unlessAborted(during.promise, controller.signal)];
  controller.abort('over');
  calls.push(unlessAborted(before.promise, controller.signal));
  for (const call of calls) await expect(call).rejects.toBe('over');
  before.reject(new Error('too late'));
  during.reject(new Error('too late'));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});
