// `npm run check`: everything that is checked besides the tests, in order, stopping at the first failure.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const CHECKS = [
  ['types', 'tsc', ['--noEmit']],
  ['format and lint', 'biome', ['check', '--error-on-warnings', '.']],
  ['unused code and dependencies', 'knip', []],
  ['published shape', 'publint', ['--strict']],
];

for (const [title, command, args] of CHECKS) {
  process.stdout.write(`check: ${title}\n`);
  const { status } = spawnSync(path.join(root, 'node_modules', '.bin', command), args, {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
