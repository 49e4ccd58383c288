import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { NODE } from '../../support/server.ts';

const EXAMPLE = path.join(import.meta.dirname, '../../../examples/storage-plugin');

test('the example plugin passes its own tests, as its reader runs them', { timeout: 120_000 }, async () => {
  // Node's runner would take this one for its own.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(
    NODE,
    ['--test', '--test-reporter=tap', 'sqlite-pages.test.mjs'],
    {
      cwd: EXAMPLE,
      env,
    },
  );
  expect(stdout).toMatch(/^# fail 0$/m);
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(50);
});
