import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Address, FaultProxy } from '../../src/storage-suite/index.ts';
import { conformance } from './conformance/conformance.ts';
import { bytes, never, pageKey, settled } from './support/calls.ts';
import { LAYERS } from './support/layers.ts';
import { lineDriver } from './support/line-store/driver.ts';
import { type LineStore, startLineStore } from './support/line-store/server.ts';

let server: LineStore;
beforeAll(async () => {
  server = await startLineStore();
});
afterAll(() => server.stop());

let stores = 0;
const driver = (address: Address, ttlSeconds?: number) =>
  lineDriver(address, `store-${stores++}`, ttlSeconds === undefined ? {} : { ttlSeconds });

conformance('a small driver over TCP', () => driver(server.address), {
  makeExpiring: (seconds) => driver(server.address, seconds),
  makeThrough: async (proxy) => driver(await proxy(server.address)),
});

const all = LAYERS['all layers']!;
conformance('a small driver over TCP in all layers', () => all(driver(server.address)), {
  makeExpiring: (seconds) => all(driver(server.address, seconds)),
  makeThrough: async (proxy) => all(driver(await proxy(server.address))),
});

test('bytes that are damaged on the way are never a hit where pages have checksums', async () => {
  const proxy = await FaultProxy.start({ upstream: server.address });
  const damaged = all(driver(proxy.address));
  try {
    await damaged.open(never);
    const keys = Array.from({ length: 50 }, (_, i) => pageKey(i));
    const values = keys.map((_, i) => bytes(5000, i));
    const into = keys.map(() => Buffer.alloc(5000));
    let misses = 0;
    proxy.add({ type: 'garbage', stream: 'downstream', attributes: { share: 1 / 5000 } });
    while (misses === 0) {
      await damaged.write(
        keys.map((key, i) => ({ key, parts: [values[i]!] })),
        AbortSignal.timeout(2000),
      );
      const reads = keys.map((key, i) => ({ key, into: [into[i]!] }));
      const results = await damaged.read(reads, AbortSignal.timeout(2000));
      results.forEach((result, i) => {
        if (result.status === 'hit') expect(into[i]!.equals(values[i]!)).toBe(true);
        if (result.status === 'miss') misses++;
      });
      await settled(results);
    }
  } finally {
    await damaged.close();
    await proxy.stop();
  }
});
