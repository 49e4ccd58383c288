import { expect, test } from 'vitest';
import { parseByteSize } from '../../src/shared/byte-size.ts';

test.each([
  ['0', 0],
  ['1048576', 1048576],
  ['20GB', 20e9],
  ['4GiB', 4 * 2 ** 30],
  ['4 gib', 4 * 2 ** 30],
  ['2MiB', 2 ** 21],
  ['1.5k', 1500],
  ['0.5KiB', 512],
  ['7B', 7],
  ['1T', 1e12],
  [' 10 MB ', 10e6],
])('%j is %i bytes', (text, size) => {
  expect(parseByteSize(text)).toBe(size);
});

test.each([
  '',
  ' ',
  'GB',
  'ib',
  '-1',
  '+1',
  '1e3',
  '0x10',
  '1,5GB',
  '1 2',
  '5 apples',
  '5iB',
  '1..5',
  'NaN',
  '99999999TB',
])('%j is no size', (text) => {
  expect(parseByteSize(text)).toBeUndefined();
});
