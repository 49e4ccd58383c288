import Table from 'cli-table3';
import { type Command, Option } from 'commander';
import { CLEAR_SCOPES, type ClearScope } from '../../shared/storage-messages.ts';
import { ClearAnswer } from './answers.ts';
import { operate, printJson, ROUTE } from './ask.ts';
import { type TimeoutFlags, withTimeout } from './options.ts';

/** `tierkv storage clear` */
export function addClear(storage: Command): void {
  withTimeout(storage.command('clear').description('remove stored pages, on every rank'))
    .addOption(
      new Option('--scope <scope>', 'pages of the served model, or of every model')
        .choices(CLEAR_SCOPES)
        .default('model'),
    )
    .action(clear);
}

async function clear(flags: TimeoutFlags & { scope: ClearScope }): Promise<void> {
  const { scope, timeout } = flags;
  const body = { scope, ...(timeout === undefined ? {} : { timeout }) };
  const call = { method: 'POST', route: `${ROUTE}/clear`, body } as const;
  const answer = await operate(flags, 'clear', call, ClearAnswer);
  if (flags.json) return printJson(answer);
  const table = new Table({ head: ['rank', 'removed pages'], style: { head: [], border: [] } });
  for (const { rank, removed } of answer.ranks) table.push([rank, removed]);
  const whose = scope === 'all' ? 'every model' : 'the served model';
  process.stdout.write(`${table.toString()}\nremoved pages of ${whose}: ${answer.removed}\n`);
}
