import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { FaultProxy } from '../../src/storage-suite/fault-proxy/fault-proxy.ts';
import type { TestBackend } from './backends.ts';
import { expectNothingFailed, Load, PREFETCH_THRESHOLD, rightAnswers, startLoadedServer } from './load.ts';
import type { TestServer } from './server.ts';
import { type S3Fault, startFakeS3 } from './services/fake-s3.ts';
import { startRedis } from './services/redis.ts';
import { attachBody, call, STORAGE, storageStatus } from './storage-api.ts';

/** Something that happens to a store, and ends again. */
export interface Outage {
  name: string;
  begin(): unknown;
  end(): unknown;
}

export interface OutageCounts {
  requests: number;
  /** Prompt tokens that came from the storage. */
  fromStorage: number;
  /** Memory of the ranks, in MB: when the load had begun, and the most that was seen. */
  memory: { before: number; most: number };
}

/**
 * Of two ranks together, whose tiers have 1.5 MB each: the rest is garbage that V8 lets grow before it collects it, of the
 * S3 client above all. It is as much after minutes.
 */
const MOST_GROWTH_MB = 400;
const RECOVERY_MS = 60_000;

/** A Redis behind a proxy, and everything that can happen to both. */
export async function outagesOfRedis(): Promise<{ backend: TestBackend; outages: Outage[] }> {
  let redis = await startRedis();
  const proxy = await FaultProxy.start({ upstream: { host: '127.0.0.1', port: redis.port } });
  const outages: Outage[] = [
    ...outagesOf(proxy),
    {
      name: 'is killed',
      begin: () => redis.signal('SIGKILL'),
      end: async () => (redis = await redis.again()),
    },
    { name: 'stands still', begin: () => redis.signal('SIGSTOP'), end: () => redis.signal('SIGCONT') },
    {
      name: 'fills up',
      begin: () => redis.cli('CONFIG', 'SET', 'maxmemory', '1mb'),
      end: () => redis.cli('CONFIG', 'SET', 'maxmemory', '0'),
    },
  ];
  const config = { host: proxy.address.host, port: proxy.address.port };
  return { backend: { backend: 'redis', config, stop: () => proxy.stop() }, outages };
}

/** A small S3 behind a proxy, and everything that can happen to both. */
export async function outagesOfS3(): Promise<{ backend: TestBackend; outages: Outage[] }> {
  const fake = await startFakeS3();
  const proxy = await FaultProxy.start({ upstream: { host: '127.0.0.1', port: fake.port } });
  const failing = (fault: (kind: string) => S3Fault | undefined) => ({
    begin: () => {
      fake.fault = fault;
    },
    end: () => {
      fake.fault = () => undefined;
    },
  });
  const answer = (status: number, code: string) => ({ kind: 'answer', status, code }) as const;
  const outages: Outage[] = [
    ...outagesOf(proxy),
    { name: 'is overloaded', ...failing(() => answer(503, 'SlowDown')) },
    {
      name: 'fills up',
      ...failing((kind) => (kind === 'PUT object' ? answer(507, 'QuotaExceeded') : undefined)),
    },
    {
      name: 'cuts bodies',
      ...failing((kind) => (kind === 'GET object' ? { kind: 'cut', bytes: 700 } : undefined)),
    },
  ];
  const config = {
    bucket: 'pages',
    endpoint: `http://${proxy.address.host}:${proxy.address.port}`,
    access_key_id: 'tester',
    secret_access_key: 'testing',
  };
  const stop = async () => {
    await proxy.stop();
    await fake.stop();
  };
  return { backend: { backend: 's3', config, stop }, outages };
}

/** What can happen to a connection. */
function outagesOf(proxy: FaultProxy): Outage[] {
  const both = (...toxics: Parameters<FaultProxy['add']>[0][]) => ({
    begin: () => {
      for (const toxic of toxics) proxy.add(toxic);
    },
    end: () => proxy.removeAll(),
  });
  return [
    { name: 'dies', begin: () => proxy.down(), end: () => proxy.up() },
    {
      name: 'hangs',
      ...both(
        { type: 'timeout', stream: 'upstream', attributes: { timeout: 0 } },
        { type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } },
      ),
    },
    {
      name: 'slows to 50 KB/s',
      ...both(
        { type: 'bandwidth', stream: 'upstream', attributes: { rate: 50 } },
        { type: 'bandwidth', stream: 'downstream', attributes: { rate: 50 } },
      ),
    },
    { name: 'returns garbage', ...both({ type: 'garbage', attributes: { share: 0.001 } }) },
    { name: 'resets connections', ...both({ type: 'reset_peer', attributes: { timeout: 20 } }) },
  ];
}

/**
 * Lets things happen to the store of a server under load, each for so long. Every stream must be whole and right, memory
 * must stay within bounds, and after each the storage must be of use again without anybody's help.
 */
export async function breakUnderLoad(
  { backend, config, stop }: TestBackend,
  outages: readonly Outage[],
  seconds: number,
): Promise<OutageCounts> {
  const right = await rightAnswers();
  const server = await startLoadedServer('--dp-size', '2');
  const memory = { before: 0, most: 0 };
  try {
    const body = attachBody(
      { prefetch_threshold: PREFETCH_THRESHOLD, prefetch_timeout_base: 0.5, ...config },
      { hicache_storage_backend: backend, mode: 'live' },
    );
    const { status, text } = await call(server, 'PUT', STORAGE, body);
    expect(status, text).toBe(200);
    const load = new Load(server, right);
    const disturb = async () => {
      await expectHits(load, 'at first');
      memory.before = await memoryOf(server);
      for (const { name, begin, end } of outages) {
        await begin();
        await sleep(1000 * seconds);
        memory.most = Math.max(memory.most, await memoryOf(server));
        expect((await storageStatus(server)).state, `${name}: the status`).toBe('attached');
        await end();
        await expectHits(load, `after it ${name}`);
      }
    };
    await load.beside(disturb());
    await load.stop();
    await expectNothingFailed(server);
    expect(memory.most - memory.before).toBeLessThan(MOST_GROWTH_MB);
    return { requests: load.requests, fromStorage: load.fromStorage, memory };
  } finally {
    await server.kill();
    await stop();
  }
}

/** Waits until prompts come from the storage again. */
async function expectHits(load: Load, when: string): Promise<void> {
  const before = load.fromStorage;
  await expect
    .poll(() => load.fromStorage, { interval: 50, timeout: RECOVERY_MS, message: `hits ${when}` })
    .toBeGreaterThan(before);
}

/** Resident memory of all ranks together, in MB. */
async function memoryOf(server: TestServer): Promise<number> {
  const texts = await Promise.all(
    (await server.rankPids()).map((pid) => readFile(`/proc/${pid}/status`, 'utf8')),
  );
  const kilobytes = texts.map((text) => Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? 0));
  return Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1000);
}
