import { setTimeout as sleep } from 'node:timers/promises';
import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, has, listAll, never, settled } from '../calls.ts';
import type { Cases, Stores } from '../case.ts';
import { expect, expectBytes, expectEqual, expectOutcomes, unlessRefused } from '../expect.ts';
import type { FaultProxy } from '../fault-proxy/fault-proxy.ts';
import type { Toxic } from '../fault-proxy/toxics.ts';
import { AT_OPEN, FAULTS, type Fault, SLOW } from './fault-kinds.ts';
import { behindProxies } from './network.ts';
import { PATIENCE_MS, Round, readAfterFault, VALUE_BYTES } from './rounds.ts';

/** For a call through a fault. */
const DEADLINE_MS = 250;
/** For a call through what only slows it down. */
const LONG_MS = 30_000;

/** More, times four, than the system’s buffers and the proxy’s take at once. */
const LARGE_BYTES = 4_000_000;

/** The network between a driver and its store fails, and comes back. */
export const faults: Cases = {
  ...Object.fromEntries(
    Object.entries(SLOW).map(([name, toxics]) => [
      `through ${name}, everything works`,
      (stores: Stores) => throughSlow(stores, toxics),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(FAULTS).map(([name, fault]) => [
      `through ${name}, every call ends and says nothing wrong, and it works again afterwards`,
      (stores: Stores) => throughFault(stores, fault),
    ]),
  ),
  ...Object.fromEntries(
    AT_OPEN.map((name) => [
      `opened on ${name}, it ends when its signal aborts, and can be closed`,
      (stores: Stores) => openedThrough(stores, FAULTS[name]!),
    ]),
  ),

  async 'large values whose write is aborted half way are there whole or not at all'(stores) {
    const network = await behindProxies(stores);
    const { driver } = network;
    await driver.open(never);
    const length = Math.min(LARGE_BYTES, driver.capabilities.largestValue);
    const keys = ['a', 'b', 'c', 'd'];
    const values = keys.map((_, i) => bytes(length, i));
    await network.each((proxy) => begin(proxy, FAULTS['requests that trickle']!));
    const calls = keys.map(async (key, i) => {
      const given = Buffer.from(values[i]!);
      await settled(await driver.write([{ key, parts: [given] }], AbortSignal.timeout(DEADLINE_MS)));
      given.fill(9);
    });
    const freed = Promise.all(calls);
    // Some drivers let buffers go only when the store takes them or the connection is over.
    await Promise.race([freed, sleep(2 * DEADLINE_MS)]);
    await network.each((proxy) => end(proxy, {}));
    await stores.until('the buffers to be let go after the fault', () => freed.then(yes));
    await worksAgain(stores, driver);
    for (const [i, key] of keys.entries()) {
      const value = await readAfterFault(stores, driver, key, length);
      if (value) expectBytes(value, values[i]!, 'a value whose write was aborted half way');
    }
  },

  async 'closed while the store hangs, it ends every call and keeps no connection'(stores) {
    const network = await behindProxies(stores);
    const { driver } = network;
    await driver.open(never);
    const round = await Round.prepare(driver, 0);
    await network.each((proxy) => begin(proxy, FAULTS['a store that hangs']!));
    const calls = round.run(never);
    await driver.close();
    await calls;
    await stores.until('the buffers to be let go by a driver that was closed', () => round.freed().then(yes));
    round.expectBuffersAlone();
    await network.expectNoConnections();
  },
};

const yes = () => true;

async function begin(proxy: FaultProxy, { toxics = [], begin }: Fault): Promise<void> {
  for (const toxic of toxics) proxy.add(toxic);
  await begin?.(proxy);
}

async function end(proxy: FaultProxy, fault: Fault): Promise<void> {
  await proxy.removeAll();
  await fault.end?.(proxy);
}

async function throughFault(stores: Stores, fault: Fault): Promise<void> {
  const network = await behindProxies(stores);
  const { driver } = network;
  await driver.open(never);
  const rounds = [await Round.prepare(driver, 0), await Round.prepare(driver, 1)];
  await network.each((proxy) => begin(proxy, fault));
  for (const round of rounds) await round.run(AbortSignal.timeout(DEADLINE_MS));
  await network.each((proxy) => end(proxy, fault));
  await worksAgain(stores, driver);
  for (const round of rounds) await round.expectTrue(stores);
  await driver.close();
  for (const round of rounds) {
    await stores.until('the buffers to be let go by a driver that was closed', () => round.freed().then(yes));
    round.expectBuffersAlone();
  }
  await network.expectNoConnections();
}

async function throughSlow(stores: Stores, toxics: readonly Toxic[]): Promise<void> {
  const network = await behindProxies(stores);
  const { driver } = network;
  await driver.open(never);
  const round = await Round.prepare(driver, 0);
  await network.each((proxy) => begin(proxy, { toxics }));
  await round.run(AbortSignal.timeout(LONG_MS));
  round.expectAllGood();
  await round.expectTrue(stores);
  if (driver.capabilities.list) expect((await listAll(driver)).length > 0, 'the list is empty');
}

async function openedThrough(stores: Stores, fault: Fault): Promise<void> {
  const network = await behindProxies(stores);
  await network.each((proxy) => begin(proxy, fault));
  const opened = await unlessRefused(network.driver.open(AbortSignal.timeout(2 * DEADLINE_MS)));
  if (!opened) expectOutcomes([await has(network.driver, 'a')], ['closed'], 'has after a failed open');
  await network.driver.close();
  await network.expectNoConnections();
  await network.each((proxy) => end(proxy, fault));
}

/** The same driver, without being opened again. */
async function worksAgain({ until }: Stores, driver: StorageDriver): Promise<void> {
  const value = bytes(VALUE_BYTES, 99);
  await until('the driver to work again after the fault', async () => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const [written] = await driver.write([{ key: 'again', parts: [value] }], signal);
    if (written?.status === 'error') return false;
    const into = Buffer.alloc(VALUE_BYTES);
    const [got] = await driver.read([{ key: 'again', into: [into] }], signal);
    if (got?.status === 'error') return false;
    expectEqual(got?.status, 'hit', 'a read of what was stored after the fault answered');
    expectBytes(into, value, 'the value that was stored after the fault');
    return true;
  });
}
