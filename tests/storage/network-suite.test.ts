import { afterAll, beforeAll } from 'vitest';
import type { Address } from '../../src/storage-suite/index.ts';
import { conformance } from './conformance/conformance.ts';
import { LAYERS } from './support/layers.ts';
import { lineDriver } from './support/line-store/driver.ts';
import { type LineStore, startLineStore } from './support/line-store/server.ts';

let server: LineStore;
beforeAll(async () => {
  server = await startLineStore();
});
afterAll(() => server.stop());

let stores = 0;
const driver = (address: Address, ttl?: number) => lineDriver(address, `store-${stores++}`, ttl);

conformance('a small driver over TCP', () => driver(server.address), {
  makeExpiring: (seconds) => driver(server.address, seconds),
  makeThrough: async (proxy) => driver(await proxy(server.address)),
});

const all = LAYERS['all layers']!;
conformance('a small driver over TCP in all layers', () => all(driver(server.address)), {
  makeExpiring: (seconds) => all(driver(server.address, seconds)),
  makeThrough: async (proxy) => all(driver(await proxy(server.address))),
});
