import Table from 'cli-table3';
import type { Command } from 'commander';
import { Compile } from 'typebox/compile';
import { Failure } from '../../shared/errors.ts';
import { oneLine } from '../server-client.ts';
import { CheckAnswer, type Checks, FailedCheckAnswer } from './answers.ts';
import { backendBody, operate, printJson, ROUTE } from './ask.ts';
import { type BackendFlags, withBackend } from './options.ts';

const failedCheck = Compile(FailedCheckAnswer);

/** `tierkv storage check` */
export function addCheck(storage: Command): void {
  withBackend(
    storage.command('check').description('try a storage backend out on every rank; changes nothing'),
  ).action(check);
}

async function check(backend: string, flags: BackendFlags): Promise<void> {
  const body = await backendBody(backend, flags);
  const config = body.hicache_storage_backend_extra_config_json;
  const call = { method: 'POST', route: `${ROUTE}/check`, body } as const;
  const answer = await operate(flags, `check ${backend}`, call, CheckAnswer, config).catch(
    (error: unknown) => {
      // What passed until then helps to see why it fails.
      if (!flags.json && error instanceof Failure && failedCheck.Check(error.details))
        printChecks(error.details.error.details.checks);
      throw error;
    },
  );
  if (flags.json) printJson(answer);
  else printChecks(answer.checks);
}

function printChecks(checks: Checks): void {
  const table = new Table({ head: ['check', 'result', 'ms', 'detail'], style: { head: [], border: [] } });
  for (const { name, ok, ms, detail } of checks)
    table.push([oneLine(name), ok ? 'ok' : 'failed', ms.toFixed(1), oneLine(detail)]);
  process.stdout.write(`${table.toString()}\n`);
}
