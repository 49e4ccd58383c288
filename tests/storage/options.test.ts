import { expect, test } from 'vitest';
import { listBackends } from '../../src/storage/factory.ts';
import { describeOptions } from '../../src/storage/option-texts.ts';

test.each(listBackends())(
  '$name says what it is, and of every option what it means and its default',
  ({ summary, options }) => {
    expect(summary).toMatch(/^\w.*[^.]$/);
    for (const option of describeOptions(options)) {
      expect(option.description, option.name).toMatch(/^[A-Z].*\.$/);
      expect(option.type, option.name).not.toBe('');
      expect(option.otherwise, option.name).not.toBe('');
    }
  },
);
