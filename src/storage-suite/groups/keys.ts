import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, has, never, pageKey, portions, read, remove } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expect, expectBytes, expectEqual, expectOneOf, expectOutcomes } from '../expect.ts';

const LONGEST = 200;

const SIMILAR = [
  ...['bar', 'bar2', 'foo_bar', 'bar/x', 'foo_bar/x', 'x', 'ba/r', 'b/a/r'],
  ...['a.b', 'a-b', 'a_b', 'ab', 'a', 'a.', 'a..', 'a.b.', '-', '_', '--', '0', '00', '000'],
];

/** Good keys that mean something to somebody: to JavaScript, file systems, command lines, stores. */
const MEANINGFUL = [
  ...['__proto__', 'constructor', 'tostring', 'hasownproperty', 'prototype', 'length', 'null', 'undefined'],
  ...['con', 'nul', 'aux', 'lost-found', 'a.page', 'a.tmp', 'a.lock', 'a.json', 'a.gz', 'index', 'data.mdb'],
  ...['-rf', '--help', '-', '_', 'bucket/list', 'keys', '0', '-1', '1e9', 'x'.repeat(64)],
];

const HOSTILE = [
  ...['', '/', '/a', 'a/', 'a//b', '.', '..', '../a', 'a/../b', 'a/./b', '.a', 'a/.b', 'A', 'ä', 'a b'],
  ...['a\\b', 'a\0', '\0', 'a\n', 'a\r\nb', '\n', 'a:b', 'a*', '*', 'a?', '[a]', '{a}', 'a,b', "a'b", 'a"b'],
  ...['%2e%2e', 'a%00', 'a&b', 'a=b', 'a+b', 'a;b', 'a|b', '$a', '~', '\u{1f600}', '\ud800', 'а'],
  'a'.repeat(201),
  `${'a/'.repeat(100)}a`,
];

/** Which keys there are, and that no two are taken for each other. */
export const keys: Cases = {
  async 'keys that differ only in one character, or in what stands before a slash, are different'({ open }) {
    const driver = await open();
    await expectApart(driver, SIMILAR);
    await remove(driver, 'bar/x');
    const expected = SIMILAR.map((key) => (key === 'bar/x' ? 'miss' : 'hit'));
    expectOutcomes(await hasAll(driver, SIMILAR), expected, 'has');
  },

  async 'page keys that differ in one character, wherever it is, are different'({ open }) {
    const driver = await open();
    const key = pageKey(1);
    const changed = Array.from({ length: key.length }, (_, i) => {
      const other = key[i] === '0' ? '1' : '0';
      return `${key.slice(0, i)}${other}${key.slice(i + 1)}`;
    });
    await expectApart(driver, [key, ...changed]);
  },

  async 'every permitted character is good wherever it may stand'({ open }) {
    const driver = await open();
    const first = [...'abcdefghijklmnopqrstuvwxyz0123456789_-'];
    const names = [...first, ...first.map((character) => `${character}.${character}`), 'x.', 'x..y', 'x...'];
    await expectApart(driver, [
      ...names,
      ...first.map((character) => `n/${character}`),
      'n.n/x.x/y.',
      'n./x',
    ]);
  },

  async 'names that mean something elsewhere are keys like others'({ open }) {
    const driver = await open();
    for (const key of MEANINGFUL)
      expectEqual((await has(driver, key)).status, 'miss', `has of '${key}' answered`);
    await expectApart(driver, MEANINGFUL);
  },

  async 'the longest keys are good'({ open }) {
    const driver = await open();
    const longest = driver.capabilities.longestKey ?? LONGEST;
    expect(
      longest >= 100 && longest <= LONGEST,
      `a longest key of ${longest} characters is not between 100 and 200`,
    );
    const half = Math.floor(longest / 2);
    const names = Math.floor(longest / 2);
    await expectApart(driver, [
      `${'n'.repeat(35)}/${'k'.repeat(64)}`,
      'k'.repeat(longest),
      `${'k'.repeat(longest - 1)}j`,
      `${'n'.repeat(half - 1)}/${'k'.repeat(longest - half)}`,
      `${'n'.repeat(longest - 2)}/k`,
      `${'a/'.repeat(names - 1)}${'b'.repeat(longest - 2 * (names - 1))}`,
    ]);
  },

  async 'what is no key fails alone, and nothing is stored'({ open, skip }) {
    const driver = await open();
    if (driver.capabilities.batch < 2) skip('Its batches have one key.');
    const into = () => [Buffer.alloc(10)];
    for (const key of HOSTILE) {
      const named = JSON.stringify(key.length > 20 ? `${key.slice(0, 20)}…` : key);
      const write = (each: string) => ({ key: each, parts: [bytes(5)] });
      const read = (each: string) => ({ key: each, into: into() });
      expectOutcomes(
        await driver.write([key, 'good'].map(write), never),
        ['io', 'stored'],
        `write of ${named}`,
      );
      expectOutcomes(await driver.has([key, 'good'], never), ['io', 'hit'], `has of ${named}`);
      expectOutcomes(await driver.read([key, 'good'].map(read), never), ['io', 'hit'], `read of ${named}`);
      expectOutcomes(await driver.remove([key, 'good'], never), ['io', 'removed'], `remove of ${named}`);
    }
    expectOutcomes(await hasAll(driver, SIMILAR), Array(SIMILAR.length).fill('miss'), 'has of other keys');
  },
};

/** Writes a value of its own under every key, and finds each of them again. */
async function expectApart(driver: StorageDriver, names: readonly string[]): Promise<void> {
  const unique = [...new Set(names)];
  for (const [i, key] of unique.entries()) {
    const [result] = await driver.write([{ key, parts: [bytes(64, i)] }], never);
    expectOneOf(result ? [result] : [], 1, ['stored'], `write of '${key}'`);
  }
  for (const [i, key] of unique.entries())
    expectBytes((await read(driver, key)).value, bytes(64, i), `the value of '${key}'`);
}

async function hasAll(driver: StorageDriver, names: readonly string[]) {
  const results = [];
  for (const portion of portions(names, driver)) results.push(...(await driver.has(portion, never)));
  return results;
}
