import type { Command } from 'commander';
import type { Static } from 'typebox';
import type { OperationMode } from '../../shared/storage-messages.ts';
import { number } from '../option-types.ts';
import { oneLine } from '../server-client.ts';
import { ChangeAnswer } from './answers.ts';
import { backendBody, operate, printJson, ROUTE } from './ask.ts';
import { type BackendFlags, type TimeoutFlags, withBackend, withMode, withTimeout } from './options.ts';

interface ModeFlag {
  mode?: OperationMode;
}

interface AttachFlags extends BackendFlags, ModeFlag {
  backfill: boolean;
  readThrough?: number;
}

const LONGEST_READ_THROUGH_S = 86_400;

/** `tierkv storage attach` */
export function addAttach(storage: Command): void {
  attaching(storage.command('attach').description('attach a storage backend, or change its policies')).action(
    (backend: string, flags: AttachFlags) => attach('attach', backend, flags),
  );
}

/** `tierkv storage switch` */
export function addSwitch(storage: Command): void {
  attaching(storage.command('switch').description('replace the backend that is attached'))
    .option(
      '--read-through <s>',
      'seconds for which the replaced one still answers what the new one misses',
      number(0, LONGEST_READ_THROUGH_S),
    )
    .action((backend: string, flags: AttachFlags) => attach('switch', backend, flags));
}

/** `tierkv storage detach` */
export function addDetach(storage: Command): void {
  withMode(withTimeout(storage.command('detach').description('detach the storage backend'))).action(detach);
}

function attaching(command: Command): Command {
  return withMode(withBackend(command)).option(
    '--no-backfill',
    'do not write pages to it that L2 holds already',
  );
}

async function attach(kind: 'attach' | 'switch', backend: string, flags: AttachFlags): Promise<void> {
  const { mode, readThrough } = flags;
  const described = await backendBody(backend, flags);
  const body = {
    ...described,
    ...(mode === undefined ? {} : { mode }),
    ...(kind === 'switch' ? { switch: true } : {}),
    ...(readThrough === undefined ? {} : { read_through: readThrough }),
    ...(flags.backfill ? {} : { backfill: false }),
  };
  const config = described.hicache_storage_backend_extra_config_json;
  const call = { method: 'PUT', route: ROUTE, body } as const;
  print(flags, await operate(flags, `${kind} ${backend}`, call, ChangeAnswer, config));
}

async function detach(flags: TimeoutFlags & ModeFlag): Promise<void> {
  const { mode, timeout } = flags;
  const query = new URLSearchParams({
    ...(mode === undefined ? {} : { mode }),
    ...(timeout === undefined ? {} : { timeout: String(timeout) }),
  });
  const route = query.size > 0 ? `${ROUTE}?${query}` : ROUTE;
  print(flags, await operate(flags, 'detach', { method: 'DELETE', route }, ChangeAnswer));
}

function print({ json }: TimeoutFlags, answer: Static<typeof ChangeAnswer>): void {
  if (json) return printJson(answer);
  const ranks = answer.ranks.map(({ rank, message }) => `rank ${rank}: ${message}`);
  process.stdout.write(`${[answer.message, ...ranks].map(oneLine).join('\n')}\n`);
}
