import { describe } from 'vitest';
import { tryDirectIo } from '../../../src/storage/drivers/file/direct-files.ts';
import { temporaryFolder } from './folders.ts';

const isTaken = await tryDirectIo(await temporaryFolder()).then(
  () => true,
  () => false,
);

/** Tests that need direct I/O, which some file systems do not take. */
export function describeWithDirectIo(name: string, tests: () => void): void {
  if (isTaken) describe(name, tests);
  else describe.skip(`${name} (skipped, the disk of temporary folders does not take direct I/O)`, tests);
}
