import { expect, test } from 'vitest';
import { memoryDriver } from '../../src/storage/drivers/memory.ts';
import {
  formatReport,
  type GroupName,
  runStorageSuite,
  type SuiteOptions,
  type SuiteReport,
  storageSuite,
  type TestRunner,
} from '../../src/storage-suite/index.ts';

const ALL: GroupName[] = [
  'basic',
  'batch',
  'large values',
  'keys',
  'overwrite',
  'concurrency',
  'list',
  'clear',
];
const REST: GroupName[] = ['ttl', 'lifecycle', 'abort', 'buffers', 'faults'];

/** Options that skip every group but some. */
function only(...groups: GroupName[]): Pick<SuiteOptions, 'skip'> {
  const others = [...ALL, ...REST].filter((group) => !groups.includes(group));
  return { skip: Object.fromEntries(others.map((group) => [group, 'It is not wanted here.'])) };
}

test('a report is a page: totals, capabilities, a line for each group, and what failed in a line each', () => {
  const report: SuiteReport = {
    name: 'my store',
    driver: { name: 'mine', capabilities: { batch: 10, largestValue: 5_000_000, list: false, ttl: 60 } },
    cases: [
      { group: 'basic', name: 'one holds', outcome: 'passed', milliseconds: 1.2 },
      {
        group: 'basic',
        name: 'two holds',
        outcome: 'failed',
        error: new Error('it\n  does not'),
        milliseconds: 2,
      },
      {
        group: 'list',
        name: 'three holds',
        outcome: 'skipped',
        reason: 'It does not list.',
        milliseconds: 0,
      },
      { group: 'list', name: 'four holds', outcome: 'skipped', reason: 'It does not list.', milliseconds: 0 },
    ],
    passed: 1,
    failed: 1,
    skipped: 2,
    milliseconds: 1234,
  };
  expect(formatReport(report)).toMatchInlineSnapshot(`
    "my store: does not keep the contract
    1 passed, 1 failed, 2 skipped, in 1.2 s
    driver 'mine': batch 10, largest value 5000000 bytes, does not list, values expire after 60 s

    group          passed   failed  skipped       ms  why skipped
    basic               1        1        0        3
    list                0        0        2        0  It does not list.

    failed:
    basic: two holds
        it does not
    "
  `);
});

test('groups that the options skip are one skipped case each, with the reason', async () => {
  const report = await runStorageSuite({ name: 'memory', make: memoryDriver, ...only('batch') });
  expect(report).toMatchObject({ name: 'memory', driver: { name: 'memory' }, failed: 0, skipped: 12 });
  expect(report.passed).toBeGreaterThan(0);
  const others = report.cases.filter(({ group }) => group !== 'batch');
  expect(new Set(others.map((each) => each.outcome === 'skipped' && each.reason))).toEqual(
    new Set(['It is not wanted here.']),
  );
});

test('where no driver can be made, every case says why', async () => {
  const make = () => {
    throw new Error('there is no server');
  };
  const report = await runStorageSuite({ name: 'none', make, ...only('basic') });
  expect(report.driver).toBeUndefined();
  expect(report.passed).toBe(0);
  const text = formatReport(report);
  expect(text).toContain('no driver could be made');
  expect(text).toContain('there is no server');
});

test('any runner that takes a name and a function can have the cases', async () => {
  const tests: Parameters<TestRunner['test']>[] = [];
  const register = (runner: Partial<TestRunner>) => {
    tests.length = 0;
    storageSuite(
      { name: 'memory', make: memoryDriver, limitMs: 20_000, ...only('ttl') },
      { test: (...test) => tests.push(test), ...runner },
    );
    return tests.map(([name]) => name);
  };
  const names = register({});
  expect(names).toContain('memory: ttl: its capabilities say after how long');
  expect(names).toContain('memory: basic: all of it');
  const described: string[] = [];
  const shorter = register({
    describe(name, inside) {
      described.push(name);
      inside();
    },
  });
  expect(described).toEqual(['memory']);
  expect(shorter).toEqual(names.map((name) => name.replace('memory: ', '')));

  const reasons: string[] = [];
  for (const [, run, timeout] of tests) {
    expect(timeout).toBeGreaterThan(2 * 20_000);
    await run({ skip: (reason) => reasons.push(reason) });
    await run();
  }
  expect(reasons).toHaveLength(tests.length);
  expect(reasons).toContain('Values stay: capabilities.ttl is absent.');
});
