import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCase } from '../../src/storage-suite/case.ts';
import { casesFor } from '../../src/storage-suite/cases.ts';
import {
  type CaseReport,
  runStorageSuite,
  type SuiteOptions,
  type SuiteReport,
} from '../../src/storage-suite/index.ts';
import { BROKEN, type Broken } from './support/broken-drivers.ts';
import type { Flaw } from './support/line-store/client.ts';
import { lineDriver } from './support/line-store/driver.ts';
import { type LineStore, startLineStore } from './support/line-store/server.ts';

/** For drivers that hang, of which each case takes so long. */
const HANGING_MS = 1_000;
const HANGS = 'still waiting';

// Vitest’s own listeners would count what broken drivers leave to nobody as failures of this file.
const EVENTS = ['unhandledRejection', 'uncaughtException'];
const listeners = EVENTS.map((event) => process.rawListeners(event));
beforeAll(() => {
  for (const event of EVENTS) process.removeAllListeners(event);
});
afterAll(() => {
  for (const [i, event] of EVENTS.entries())
    for (const listener of listeners[i]!) process.on(event, listener as () => void);
});

describe('the suite finds a driver that', () => {
  test.each(Object.entries(BROKEN))('%s', async (_, broken) => {
    const failures = failuresOf(await run(broken));
    const messages = failures.map(({ error }) => String(error));
    const groups = new Set<string>(failures.map(({ group }) => group));
    // With so short a limit a slow machine may fail cases that are good.
    if (hangs(broken))
      expect([...groups], messages.join('\n')).toEqual(expect.arrayContaining(broken.groups));
    else expect(groups, messages.join('\n')).toEqual(new Set(broken.groups));
    expect(
      messages.some((message) => broken.says.test(message)),
      messages.join('\n'),
    ).toBe(true);
  });
});

function run(broken: Broken): Promise<SuiteReport> {
  const { make, makeExpiring, groups } = broken;
  return runStorageSuite({
    name: 'broken',
    make,
    ...(makeExpiring ? { makeExpiring } : {}),
    // They take the longest, and have to find only what is wrong with them.
    skip: groups.includes('large values') ? {} : { 'large values': 'The fault is not of large values.' },
    ...(hangs(broken) ? { limitMs: HANGING_MS } : {}),
  });
}

function hangs({ says }: Broken): boolean {
  return says.source.includes(HANGS);
}

function failuresOf({ cases }: SuiteReport): (CaseReport & { outcome: 'failed' })[] {
  return cases.flatMap((each) => (each.outcome === 'failed' ? [each] : []));
}

/** By what a client over a network does wrong: the case that finds it, and what it says. */
const NETWORK: Record<Flaw, [found: string, says: RegExp]> = {
  'waits for ever': ['through a store that hangs', /still waiting for: has, read, write, remove/],
  'never connects again': ['through connections that are closed once', /still waiting for: .*to work again/],
  'keeps what it sends from': [
    'large values whose write',
    /a value whose write was aborted half way is wrong/,
  ],
  'does not hear errors': ['through connections that are reset by an answer', /an error that nobody handles/],
  'takes garbage for misses': ['through answers that are garbage', /answered miss, which is none of hit/],
  'goes by the order of answers': ['through answers that trickle', /instead of|none of|wrong/],
  'keeps its connection': ['closed while the store hangs', /still waiting for: the connections of a driver/],
};

describe('the suite finds a driver over a network that', () => {
  let server: LineStore;
  beforeAll(async () => {
    server = await startLineStore();
  });
  afterAll(() => server.stop());

  /** What one case of the faults says of a client. */
  async function finding(found: string, flaw?: Flaw): Promise<string | undefined> {
    const options: SuiteOptions = {
      name: 'broken',
      make: () => lineDriver(server.address, 'unused'),
      makeThrough: async (proxy) =>
        lineDriver(await proxy(server.address), crypto.randomUUID(), flaw ? { flaw } : {}),
      limitMs: flaw ? 3 * HANGING_MS : 60 * HANGING_MS,
    };
    const [chosen] = casesFor(options).filter(({ name }) => name.startsWith(found));
    if (!chosen) throw new Error(`there is no case '${found}'`);
    return await runCase(chosen, options, { closeHangs: false, driver: undefined }).then(
      () => undefined,
      (error: unknown) => String(error),
    );
  }

  test.each(Object.entries(NETWORK))('%s', async (flaw, [found, says]) => {
    expect(await finding(found, flaw as Flaw)).toMatch(says);
    expect(await finding(found)).toBeUndefined();
  });
});
