import Table from 'cli-table3';
import type { Command } from 'commander';
import { oneLine } from '../server-client.ts';
import { type RankRow, StatusAnswer } from './answers.ts';
import { clientOf, printJson, ROUTE } from './ask.ts';
import { type ServerFlags, withServer } from './options.ts';

/** The server waits for its ranks for two seconds. */
const DEADLINE_S = 5;
const PLAIN = { head: [], border: [] };

/** `tierkv storage status` */
export function addStatus(storage: Command): void {
  withServer(
    storage.command('status').description('show what is attached, and how every rank does with it'),
  ).action(async (flags: ServerFlags) => {
    const call = { method: 'GET', route: ROUTE, seconds: DEADLINE_S } as const;
    const answer = await clientOf(flags).ask(call, StatusAnswer);
    if (flags.json) printJson(answer);
    else print(answer);
  });
}

function print(status: StatusAnswer): void {
  const errors = status.ranks.flatMap(({ rank, last_error }) =>
    last_error ? [oneLine(`rank ${rank}, last error: ${last_error}`)] : [],
  );
  process.stdout.write(`${[summary(status), rankTable(status.ranks), ...errors].join('\n')}\n`);
}

function summary(status: StatusAnswer): string {
  const { epoch, attached_at, prefetch, operation } = status;
  const backend = status.hicache_storage_backend ?? 'none';
  const since = attached_at === null ? '' : `, attached ${moment(attached_at)}, epoch ${epoch}`;
  const knobs = prefetch
    ? ` (from ${prefetch.threshold} tokens; ${prefetch.timeout_base} s and ${prefetch.timeout_per_ki_token} s per 1024 tokens, ${prefetch.timeout_max} s at most)`
    : '';
  const table = new Table({ style: PLAIN });
  const rows = [
    ['storage backend', backend + since],
    ['state', status.state],
    ['prefetch policy', (status.hicache_storage_prefetch_policy ?? 'unknown') + knobs],
    ['write policy', status.hicache_write_policy ?? 'unknown'],
    ['operation', operation ? described(operation) : 'none'],
  ];
  table.push(...rows.map((row) => row.map(oneLine)));
  return table.toString();
}

function described({ kind, backend, mode, id, started_at }: NonNullable<StatusAnswer['operation']>): string {
  const how = mode === null ? '' : `, mode ${mode}`;
  return `${kind}${backend === null ? '' : ` ${backend}`} since ${moment(started_at)}${how}, id ${id}`;
}

function rankTable(ranks: readonly RankRow[]): string {
  const head = [
    'rank',
    'state',
    'health',
    'breaker',
    'prefetch',
    'backup',
    'queued',
    'read',
    'written',
    'errors',
    'used',
  ];
  const table = new Table({ head, style: PLAIN });
  for (const { rank, state, health, breaker, inflight, bytes_used, ...counts } of ranks) {
    const { queued, pages_read, pages_written, errors } = counts;
    const used = bytes_used == null ? undefined : `${(bytes_used / 1e6).toFixed(1)} MB`;
    const numbers = [inflight?.prefetch, inflight?.backup, queued, pages_read, pages_written, errors];
    const words = [state, health ?? '-', breaker ?? '-'].map(oneLine);
    table.push([rank, ...words, ...numbers.map((n) => n ?? '-'), used ?? '-']);
  }
  return table.toString();
}

/** @param seconds Unix time */
function moment(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}
