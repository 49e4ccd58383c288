import type { Command } from 'commander';
import { addBackends } from './backends.ts';
import { addBreaker } from './breaker.ts';
import { addAttach, addDetach, addSwitch } from './change.ts';
import { addCheck } from './check.ts';
import { addClear } from './clear.ts';
import { addMigrate } from './migrate.ts';
import { addStat } from './stat.ts';
import { addStatus } from './status.ts';
import { addVerify } from './verify.ts';

/** `tierkv storage …`: the storage of a running server, and the pages in a store without one. */
export function addStorage(program: Command): void {
  const storage = program
    .command('storage')
    .description('control the storage of a server, look after stored pages');
  addStatus(storage);
  addAttach(storage);
  addSwitch(storage);
  addDetach(storage);
  addCheck(storage);
  addBreaker(storage);
  addClear(storage);
  addBackends(storage);
  addStat(storage);
  addVerify(storage);
  addMigrate(storage);
}
