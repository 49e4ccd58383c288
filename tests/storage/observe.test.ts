import { expect, test } from 'vitest';
import { VirtualClock } from '../../src/engine/simulated/virtual-clock.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { observeLayer } from '../../src/storage/layers/observe.ts';
import { bytes, never, read, remove, write } from './support/calls.ts';
import { Faults } from './support/faulty-driver.ts';

test('every call is counted by operation and outcome, timed, and its bytes are added up', async () => {
  const clock = new VirtualClock();
  const faults = new Faults();
  const told: unknown[] = [];
  let inFlight = 0;
  const observer = {
    started: () => inFlight++,
    ended: (
      operation: string,
      call: { milliseconds: number; outcomes: ReadonlyMap<string, number>; bytes: number },
    ) => {
      inFlight--;
      told.push([operation, call.milliseconds, Object.fromEntries(call.outcomes), call.bytes]);
    },
  };
  const driver = observeLayer(observer, clock)(faults.wrap(createDriver('memory', {})));
  await driver.open(never);
  await write(driver, 'a', bytes(100));
  faults.next({ kind: 'delay', clock, milliseconds: 25 });
  const call = driver.read(
    ['a', 'b', 'A'].map((key) => ({ key, into: [Buffer.alloc(200)] })),
    never,
  );
  expect(inFlight).toBe(1);
  await clock.advance(25);
  await call;
  await driver.has(['a', 'a', 'b'], never);
  await remove(driver, 'a');
  await read(driver, 'a', 10);
  expect(inFlight).toBe(0);
  expect(told).toEqual([
    ['write', 0, { stored: 1 }, 100],
    ['read', 25, { hit: 1, miss: 1, io: 1 }, 100],
    ['has', 0, { hit: 2, miss: 1 }, 0],
    ['remove', 0, { removed: 1 }, 0],
    ['read', 0, { miss: 1 }, 0],
  ]);
  faults.next({ kind: 'reject', message: 'broken' });
  await expect(driver.has(['a'], never)).rejects.toThrow('broken');
  expect(inFlight).toBe(0);
});
