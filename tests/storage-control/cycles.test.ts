import { readdirSync } from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';
import { expect, it } from 'vitest';
import { createCache } from '../../src/cache/create-cache.ts';
import { SimulatedEngine } from '../../src/engine/simulated/simulated-engine.ts';
import { createStorageControl } from '../../src/ranks/rank-cache.ts';
import { RankMetrics } from '../../src/ranks/rank-metrics.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { StorageOperations } from '../../src/scheduler/storage-operations.ts';
import { systemClock } from '../../src/shared/clock.ts';
import type { StorageChange, StorageRequest } from '../../src/shared/storage-messages.ts';
import { Wakeup } from '../../src/shared/wakeup.ts';
import { temporaryFolder } from '../storage/support/folders.ts';
import { Recorder } from '../support/recorder.ts';
import { attachTo, SETTINGS } from './support/cluster.ts';

v8.setFlagsFromString('--expose-gc');
const collectGarbage: () => void = vm.runInNewContext('gc');

const CYCLES = 1000;
/** The first ones fill what is filled once: compiled code, pools, histograms. */
const WARM_UP = 500;
/** Bytes of heap for each cycle that are no leak: those of one attachment are some tens of thousands. */
const NOISE = 1500;

it('a thousand attachments leave no memory, file handle, timer, task or host page behind', async () => {
  const clock = systemClock;
  const engine = new SimulatedEngine({
    clock,
    vocabularySize: 32,
    msPerBatch: 0,
    msPerToken: 0,
    msPerGrammar: 0,
    cells: 256,
    batchTokens: 64,
    sequences: 8,
    pageSize: 4,
  });
  const metrics = new RankMetrics(0);
  const { prefetch, writePolicy } = SETTINGS;
  const tiers = createCache(
    engine,
    {
      radixCache: true,
      hostPages: 64,
      evictionPolicy: 'lru',
      writePolicy,
      unusedDeviceTokens: 256,
      swapWorthTokens: 0,
      prefetch,
      debug: false,
    },
    clock,
    metrics,
    () => undefined,
  );
  const limits = {
    contextLength: 256,
    maxRunningRequests: 4,
    chunkedPrefillSize: 16,
    mixedChunk: true,
    maxPrefillTokens: 32,
    maxQueuedRequests: 10,
  };
  const output = new Recorder(clock as never);
  const scheduler = new Scheduler(engine, tiers.cache, limits, output, clock, new Wakeup());
  const control = createStorageControl(0, engine, tiers, clock, metrics);
  const operations = new StorageOperations(scheduler, control, clock);
  const config = JSON.stringify({ path: await temporaryFolder(), min_free_space: 0 });
  let operation = 0;

  const ask = async (request: StorageRequest, kind: string) =>
    expect(await operations.handle(request)).toMatchObject({ kind });
  const carryOut = async (change: StorageChange) => {
    operation++;
    const order = { operation, epoch: operation, mode: 'idle', fingerprint: 'model' } as const;
    await ask({ kind: 'prepare', ...order, change, milliseconds: 60_000 }, 'prepared');
    await ask({ kind: 'commit', operation, graceMilliseconds: 1000 }, 'done');
    await ask({ kind: 'settle' }, 'done');
  };
  const held = () => {
    collectGarbage();
    return {
      heap: process.memoryUsage().heapUsed,
      files: readdirSync('/proc/self/fd').length,
      resources: process.getActiveResourcesInfo().length,
      freePages: tiers.pool?.free,
    };
  };

  let before = held();
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    if (cycle === WARM_UP) before = held();
    await carryOut(attachTo('file', { config }));
    await carryOut({ kind: 'detach' });
  }
  const after = held();
  expect(after.files).toBeLessThanOrEqual(before.files);
  expect(after.resources).toBeLessThanOrEqual(before.resources);
  expect(after.freePages).toBe(tiers.pool?.capacity);
  expect((after.heap - before.heap) / (CYCLES - WARM_UP)).toBeLessThan(NOISE);
}, 300_000);
