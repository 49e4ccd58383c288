import { systemClock } from '../../shared/clock.ts';
import { failure } from '../../shared/errors.ts';
import type { Cleared, ClearScope } from '../../shared/storage-messages.ts';
import type { StorageDriver } from '../../storage/driver.ts';
import { namespaceLayer } from '../../storage/layers/namespace.ts';
import { clearStore } from '../../storage/maintenance/clear-store.ts';
import { cannotList } from '../../storage/maintenance/listing.ts';
import { isFingerprint } from '../../storage/maintenance/pages.ts';
import { statStore } from '../../storage/maintenance/stat-store.ts';
import { endedBadly, interruptible } from '../interrupt.ts';
import { printJson } from './ask.ts';
import { isConfirmed } from './confirm.ts';
import { nameStore, withOpenStore } from './open-store.ts';
import type { OneStoreFlags } from './options.ts';
import { tableOf } from './stat.ts';
import { WorkLine } from './work-line.ts';

export interface DirectFlags extends OneStoreFlags {
  scope?: ClearScope;
  model?: string;
  yes?: true;
}

/** `tierkv storage clear BACKEND`: removes pages from a store, without a server. */
export async function clearDirectly(backend: string, flags: DirectFlags): Promise<void> {
  const model = modelOf(flags);
  const asks = flags.yes !== true;
  if (asks && !(process.stdin.isTTY && process.stderr.isTTY))
    throw refused('pages are removed without a question only with --yes');
  const named = await nameStore(backend, '--extra-config', flags.extraConfig, flags);
  if (!named.driver.list) throw cannotList(named.driver);
  const cleared = await interruptible((signal) =>
    withOpenStore(named, signal, async ({ store }) =>
      asks && !(await isWanted(backend, store, model, signal))
        ? undefined
        : clear(backend, store, model, signal),
    ),
  );
  if (!cleared) {
    process.stderr.write('nothing was removed\n');
    return endedBadly();
  }
  const { removed, failed, problem } = cleared;
  if (flags.json) printJson({ backend, model: model ?? null, removed, failed, problem: problem ?? null });
  else {
    const whose = model === undefined ? 'every model' : `model ${model}`;
    const problems = problem === undefined ? [] : [`not removed: ${failed}`, `not finished: ${problem}`];
    process.stdout.write(`${[`removed pages of ${whose}: ${removed}`, ...problems].join('\n')}\n`);
  }
  if (problem !== undefined || failed > 0) endedBadly();
}

/** The one model whose pages go; undefined for all. Throws `bad_option` where that was not said. */
function modelOf({ scope, model }: DirectFlags): string | undefined {
  if (scope === 'all' && model !== undefined) throw refused('--scope all and --model exclude each other');
  if (scope === 'all') return undefined;
  if (model === undefined) throw refused('say which pages of it: --scope all, or --model with a fingerprint');
  if (isFingerprint(model)) return model;
  throw refused(
    "--model must be a fingerprint of 64 hexadecimal digits, as 'tierkv storage stat' shows them",
  );
}

function refused(reason: string): Error {
  return failure('bad_option', { reason: `storage clear: ${reason}.` });
}

async function isWanted(
  backend: string,
  store: StorageDriver,
  model: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const line = new WorkLine(`count ${backend}`);
  const onProgress = (pages: number) => line.update({ pages });
  const { models, problem } = await statStore(store, { clock: systemClock, signal, onProgress }).finally(() =>
    line.end(),
  );
  if (problem !== null) throw failure('storage_failed', { backend, reason: problem });
  const going = models.filter((counted) => model === undefined || counted.model === model);
  const pages = going.reduce((sum, counted) => sum + counted.pages, 0);
  const bytes = going.reduce<number | null>(
    (sum, counted) => (sum === null || counted.bytes === null ? null : sum + counted.bytes),
    0,
  );
  process.stderr.write(`${tableOf({ models: going, pages, bytes })}\n`);
  return isConfirmed(`Remove these pages from '${backend}'?`, signal);
}

async function clear(
  backend: string,
  store: StorageDriver,
  model: string | undefined,
  signal: AbortSignal,
): Promise<Cleared> {
  const line = new WorkLine(`clear ${backend}`);
  const onProgress = ({ removed }: { removed: number }) => line.update({ pages: removed });
  const driver = model === undefined ? store : namespaceLayer(model)(store);
  const scope = model === undefined ? 'all' : 'model';
  return clearStore(driver, scope, signal, onProgress).finally(() => line.end());
}
