import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { killRounds } from '../support/kill-round.ts';
import { MAIN, NODE } from '../support/server.ts';

const run = promisify(execFile);

it('servers that are killed while they write leave whole pages, which the next one serves from', async () => {
  const folder = await killRounds(5);
  const { stdout } = await run(NODE, [MAIN, 'storage', 'verify', '--path', folder, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ removed: 0, failed: [], pages: expect.any(Number) });
});
