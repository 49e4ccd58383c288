import Table from 'cli-table3';
import { type Command, Option } from 'commander';
import { failure } from '../../shared/errors.ts';
import { CLEAR_SCOPES, type ClearScope } from '../../shared/storage-messages.ts';
import { ClearAnswer } from './answers.ts';
import { operate, printJson, ROUTE } from './ask.ts';
import { clearDirectly, type DirectFlags } from './clear-directly.ts';
import { PLAIN } from './format.ts';
import { type TimeoutFlags, withStore, withTimeout } from './options.ts';

type ClearFlags = TimeoutFlags & DirectFlags;

/** What has a meaning in one of the two ways only, by commander's names. */
const OF_SERVERS = { url: '--url', adminApiKey: '--admin-api-key', timeout: '--timeout' };
const OF_STORES = {
  extraConfig: '--extra-config',
  hicacheDynamicBackendDir: '--hicache-dynamic-backend-dir',
  model: '--model',
  yes: '--yes',
};

/** `tierkv storage clear`: by the server that uses the store, or, with a backend named, in the store itself. */
export function addClear(storage: Command): void {
  const command = storage
    .command('clear')
    .description('remove stored pages: on every rank of a server, or, with a backend, from the store itself')
    .argument('[backend]', 'the store to open, without a server');
  withStore(withTimeout(command))
    .addOption(
      new Option(
        '--scope <scope>',
        'pages of the served model (default), or of every model; with a backend: all',
      ).choices(CLEAR_SCOPES),
    )
    .option('--model <fingerprint>', 'with a backend: pages of this model')
    .option('--yes', 'with a backend: do not ask')
    .action(async (backend: string | undefined, flags: ClearFlags) => {
      const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
      refuseOthers(backend, isGiven);
      await (backend === undefined ? clearByServer(flags) : clearDirectly(backend, flags));
    });
}

function refuseOthers(backend: string | undefined, isGiven: (name: string) => boolean): void {
  const others = Object.entries(backend === undefined ? OF_STORES : OF_SERVERS);
  const [, flag] = others.find(([name]) => isGiven(name)) ?? [];
  if (flag === undefined) return;
  const reason =
    backend === undefined
      ? `storage clear: ${flag} needs a backend; without one a server is asked.`
      : `storage clear: ${flag} is of a server, and none is asked where a backend is named.`;
  throw failure('bad_option', { reason });
}

async function clearByServer(flags: TimeoutFlags & { scope?: ClearScope }): Promise<void> {
  const { scope = 'model', timeout } = flags;
  const body = { scope, ...(timeout === undefined ? {} : { timeout }) };
  const call = { method: 'POST', route: `${ROUTE}/clear`, body } as const;
  const answer = await operate(flags, 'clear', call, ClearAnswer);
  if (flags.json) return printJson(answer);
  const table = new Table({ head: ['rank', 'removed pages'], style: PLAIN });
  for (const { rank, removed } of answer.ranks) table.push([rank, removed]);
  const whose = scope === 'all' ? 'every model' : 'the served model';
  process.stdout.write(`${table.toString()}\nremoved pages of ${whose}: ${answer.removed}\n`);
}
