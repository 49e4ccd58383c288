import { type Command, InvalidArgumentError, Option } from 'commander';
import { PREFETCH_POLICIES, type PrefetchPolicy } from '../../cache/prefetch-policy.ts';
import { WRITE_POLICIES, type WritePolicy } from '../../cache/write-policy.ts';
import { OPERATION_MODES } from '../../shared/storage-messages.ts';
import { isFingerprint } from '../../storage/maintenance/pages.ts';
import { number } from '../option-types.ts';

/** Flags of every command that asks a server. */
export interface ServerFlags {
  url: string;
  adminApiKey?: string;
  json?: true;
}

export interface TimeoutFlags extends ServerFlags {
  /** In seconds; absent leaves it to the server. */
  timeout?: number;
}

/** Flags that describe a backend. */
export interface BackendFlags extends TimeoutFlags {
  extraConfig?: string;
  prefetchPolicy?: PrefetchPolicy;
  writePolicy?: WritePolicy;
}

/** Flags of commands that open a store themselves. */
export interface StoreFlags {
  hicacheDynamicBackendDir?: string;
  json?: true;
}

export interface OneStoreFlags extends StoreFlags {
  extraConfig?: string;
}

export function withDynamicFolder(command: Command): Command {
  return command.option(
    '--hicache-dynamic-backend-dir <folder>',
    "where modules of backends of one's own may lie",
  );
}

export function withStore(command: Command): Command {
  return withDynamicFolder(
    command.option('--extra-config <json|@file>', 'its settings; a file is .json, .yaml or .toml'),
  );
}

export function withModel(command: Command): Command {
  return command.option('--model <fingerprint>', 'pages of this model alone', parseModel);
}

function parseModel(text: string): string {
  if (isFingerprint(text)) return text;
  throw new InvalidArgumentError('It must be a fingerprint of 64 hexadecimal digits.');
}

export function withServer(command: Command): Command {
  return command
    .option('--url <url>', 'the server', 'http://127.0.0.1:30000')
    .addOption(new Option('--admin-api-key <key>', "the server's admin key").env('TIERKV_ADMIN_API_KEY'))
    .option('--json', "print the server's JSON");
}

export function withTimeout(command: Command): Command {
  return withServer(command).option(
    '--timeout <s>',
    'seconds for all of it, on all ranks (default: 30)',
    number(0.001, 3600),
  );
}

export function withBackend(command: Command): Command {
  return withTimeout(command)
    .argument('<backend>', 'its name, such as file')
    .option(
      '--extra-config <json|@file>',
      'its settings, and those of prefetching; a file is .json, .yaml or .toml',
    )
    .addOption(
      new Option('--prefetch-policy <policy>', 'how long a request waits for the storage').choices(
        PREFETCH_POLICIES,
      ),
    )
    .addOption(new Option('--write-policy <policy>', 'when pages go from L1 to L2').choices(WRITE_POLICIES));
}

export function withMode(command: Command): Command {
  return command.addOption(
    new Option(
      '--mode <mode>',
      'idle: only when nothing runs; drain: wait for that; live: under load (default: the server’s)',
    ).choices(OPERATION_MODES),
  );
}
