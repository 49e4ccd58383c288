import { Argument, type Command } from 'commander';
import { BREAKER_ORDERS, type BreakerOrder } from '../../shared/storage-messages.ts';
import { oneLine } from '../server-client.ts';
import { ChangeAnswer } from './answers.ts';
import { operate, printJson, ROUTE } from './ask.ts';
import { type TimeoutFlags, withTimeout } from './options.ts';

/** `tierkv storage breaker` */
export function addBreaker(storage: Command): void {
  withTimeout(
    storage.command('breaker').description('keep serving away from the storage, or let it decide by itself'),
  )
    .addArgument(
      new Argument('<state>', 'open: until told otherwise; auto: as the breaker decides').choices(
        BREAKER_ORDERS,
      ),
    )
    .action(setBreaker);
}

async function setBreaker(state: BreakerOrder, flags: TimeoutFlags): Promise<void> {
  const { timeout } = flags;
  const body = { state, ...(timeout === undefined ? {} : { timeout }) };
  const call = { method: 'POST', route: `${ROUTE}/breaker`, body } as const;
  const answer = await operate(flags, `breaker ${state}`, call, ChangeAnswer);
  if (flags.json) return printJson(answer);
  const ranks = answer.ranks.map(({ rank, message }) => `rank ${rank}: ${message}`);
  process.stdout.write(`${[answer.message, ...ranks].map(oneLine).join('\n')}\n`);
}
