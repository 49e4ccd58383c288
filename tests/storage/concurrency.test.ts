import { expect, test, vi } from 'vitest';
import { unlessAborted } from '../../src/storage/concurrency.ts';

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
