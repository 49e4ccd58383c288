import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/shared/clock.ts';
import { withDeadline } from '../../src/shared/deadline.ts';
import { Wakeup } from '../../src/shared/wakeup.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Counts how often the promise has resolved, once everything that is due has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => {
    done = true;
  });
  await vi.advanceTimersByTimeAsync(0);
  return done;
}

describe('a wakeup', () => {
  it('ends a wait that has begun', async () => {
    const wakeup = new Wakeup();
    const waiting = wakeup.wait();
    expect(await settled(waiting)).toBe(false);
    wakeup.signal();
    expect(await settled(waiting)).toBe(true);
  });

  it('that came before ends the next wait, and only that', async () => {
    const wakeup = new Wakeup();
    wakeup.signal();
    wakeup.signal();
    expect(await settled(wakeup.wait())).toBe(true);
    expect(await settled(wakeup.wait())).toBe(false);
  });

  it('that comes while the waiter is being woken does not wake it twice', async () => {
    const wakeup = new Wakeup();
    const waiting = wakeup.wait();
    wakeup.signal();
    wakeup.signal();
    await waiting;
    expect(await settled(wakeup.wait())).toBe(false);
  });

  it('is not lost between two waits', async () => {
    const wakeup = new Wakeup();
    for (let i = 0; i < 10; i++) {
      const waiting = wakeup.wait();
      wakeup.signal();
      await waiting;
      wakeup.signal();
      expect(await settled(wakeup.wait())).toBe(true);
    }
  });
});

describe('a deadline', () => {
  const params = { what: 'Waiting', seconds: 5 };

  it('lets through what comes in time, and what fails in time', async () => {
    const work = withDeadline(Promise.resolve(7), 5000, 'deadline_exceeded', params);
    expect(await work).toBe(7);
    const failing = withDeadline(Promise.reject(new Error('no')), 5000, 'deadline_exceeded', params);
    await expect(failing).rejects.toThrow('no');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('fails what takes longer, and does not mind how that ends', async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    const work = withDeadline(promise, 5000, 'deadline_exceeded', params).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(4999);
    expect(await settled(work)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await work).toMatchObject({
      code: 'deadline_exceeded',
      message: 'Waiting took longer than 5 s.',
    });
    reject(new Error('too late'));
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the system clock', () => {
  it('sleeps for its time, or until it is aborted, and leaves no timer behind', async () => {
    const sleeping = systemClock.sleep(100);
    await vi.advanceTimersByTimeAsync(99);
    expect(await settled(sleeping)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await settled(sleeping)).toBe(true);

    const controller = new AbortController();
    const aborted = systemClock.sleep(100, controller.signal);
    controller.abort();
    expect(await settled(aborted)).toBe(true);
    expect(await settled(systemClock.sleep(100, controller.signal))).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
