import { expect, test, vi } from 'vitest';
import { CallGate } from '../../src/storage/call-gate.ts';
import { limiter, sharedQuestion, unlessAborted } from '../../src/storage/concurrency.ts';
import { failed } from '../../src/storage/results.ts';
import { never } from './support/calls.ts';

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

/** Work that ends when it is told to, by its number; `begun` are those that have begun. */
function works() {
  const ends = new Map<number, () => void>();
  const begun: number[] = [];
  const work = (number: number) => async () => {
    begun.push(number);
    await new Promise<void>((resolve) => ends.set(number, resolve));
    return number;
  };
  return { begun, work, end: (number: number) => ends.get(number)?.() };
}

test('what waits for its turn leaves when its signal aborts, and the others keep their order and their number', async () => {
  const { begun, work, end } = works();
  const limit = limiter(2);
  const controller = new AbortController();
  const others = [1, 2].map((number) => limit(work(number), controller.signal));
  const waiting = [3, 4, 5, 6, 7].map((number) =>
    limit(work(number), number % 2 ? controller.signal : undefined),
  );
  controller.abort('over');
  for (const left of [0, 2, 4]) await expect(waiting[left]).rejects.toBe('over');
  await expect(limit(work(8), controller.signal)).rejects.toBe('over');
  expect(begun).toEqual([1, 2]);
  end(2);
  expect(await others[1]).toBe(2);
  await new Promise(setImmediate);
  expect(begun).toEqual([1, 2, 4]);
  end(1);
  await new Promise(setImmediate);
  expect(begun).toEqual([1, 2, 4, 6]);
  const last = limit(work(9));
  await new Promise(setImmediate);
  expect(begun).toEqual([1, 2, 4, 6]);
  for (const number of [4, 6]) end(number);
  await new Promise(setImmediate);
  end(9);
  expect(await last).toBe(9);
});

test('a call that is cancelled while it waits behind others of its store has ended, whatever those do', async () => {
  const { begun, work, end } = works();
  const gate = new CallGate({ failedBy: (error) => failed('io', String(error)) });
  gate.open();
  const limit = limiter(1);
  const before = gate.each([{ key: 'a' }], never, limit, work(1));
  const controller = new AbortController();
  const keys = ['b', 'c'].map((key) => ({ key }));
  const cancelled = gate.each(keys, controller.signal, limit, work(2));
  controller.abort();
  expect(await cancelled).toEqual(Array(2).fill(failed('aborted', 'The call was aborted.')));
  expect(begun).toEqual([1]);
  end(1);
  expect(await before).toEqual([1]);
});
