import path from 'node:path';
import { systemClock } from '../../../shared/clock.ts';
import { failure } from '../../../shared/errors.ts';
import { scatter, totalBytes } from '../../buffers.ts';
import { CallGate } from '../../call-gate.ts';
import { unlessAborted } from '../../concurrency.ts';
import type {
  Capabilities,
  Failed,
  HasResult,
  Listing,
  Read,
  ReadResult,
  RemoveResult,
  StorageDriver,
  Write,
  WriteResult,
} from '../../driver.ts';
import type { Surroundings } from '../../factory.ts';
import { keyed } from '../../keys.ts';
import { failed } from '../../results.ts';
import type { PluginSetup, ReadAnswer } from './messages.ts';
import { locateModule, problemOfPath } from './module-path.ts';
import type { DynamicOptions } from './options.ts';
import { PluginThread, ThreadEnded } from './plugin-thread.ts';

/** Pages are copied on their way to the plugin, so no plugin needs more at once. */
const BATCH = 128;
/** While the plugin's own is not known. */
const LARGEST = 2 ** 30;
/** A plugin that is started again in the middle of calls has so long to open. */
const RESTART_MS = 10_000;
/** After a start that failed, calls fail as it did for so long, before it is tried again. */
const PAUSE_MS = 1_000;

/** Throws `storage_config`, naming the option or the flag to change. Nothing is looked at on the disk yet. */
export function dynamicDriver(options: DynamicOptions, { dynamicFolder }: Surroundings): StorageDriver {
  const { module_path, class_name, export: exportName, backend_name, ...own } = options;
  const refuse = (option: string, expected: string) =>
    failure('storage_config', { backend: 'dynamic', path: option, expected });
  if (dynamicFolder === undefined)
    throw refuse(
      'module_path',
      'is refused: the server was started without --hicache-dynamic-backend-dir, the folder that plugins come from',
    );
  const problem = problemOfPath(dynamicFolder, module_path);
  if (problem !== undefined) throw refuse('module_path', problem);
  if (class_name === undefined && exportName === undefined)
    throw refuse('class_name', "is required, or 'export' is");
  if (class_name !== undefined && exportName !== undefined)
    throw refuse('class_name', "cannot be there together with 'export'");
  const plugin = backend_name ?? path.basename(module_path);
  return new DynamicDriver(plugin, async () => ({
    url: await locateModule(dynamicFolder, module_path),
    className: class_name,
    exportName,
    options: own,
  }));
}

/** A module of the operator's, in a thread of its own, which is started again by the next call when it has ended. */
class DynamicDriver implements StorageDriver {
  readonly name = 'dynamic';
  readonly capabilities: Readonly<Capabilities>;
  readonly #plugin: string;
  readonly #setup: () => Promise<PluginSetup>;
  readonly #gate: CallGate;
  #thread: PluginThread | undefined;
  #starting: Promise<PluginThread> | undefined;
  #refusal: { error: unknown; until: number } | undefined;

  constructor(plugin: string, setup: () => Promise<PluginSetup>) {
    this.#plugin = plugin;
    this.#setup = setup;
    this.#gate = new CallGate({
      failedBy: (error) => failed(error instanceof ThreadEnded ? 'unreachable' : 'io', this.#reason(error)),
    });
    const largest = () => Math.min(this.#thread?.capabilities.largestValue ?? LARGEST, LARGEST);
    this.capabilities = Object.freeze({
      batch: BATCH,
      get largestValue() {
        return largest();
      },
      list: true,
    });
  }

  async open(signal: AbortSignal): Promise<void> {
    try {
      await this.#start(signal);
    } catch (cause) {
      throw failure('storage_failed', { backend: this.name, reason: this.#reason(cause) }, { cause });
    }
    this.#gate.open();
  }

  async close(): Promise<void> {
    await this.#gate.close();
    await this.#starting?.catch(() => undefined);
    await this.#thread?.close();
  }

  has(keys: readonly string[], signal: AbortSignal): Promise<HasResult[]> {
    return this.#keys(keys, signal, (thread, some, both) =>
      thread.call({ operation: 'has', keys: some }, [], both),
    );
  }

  remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    return this.#keys(keys, signal, (thread, some, both) =>
      thread.call({ operation: 'remove', keys: some }, [], both),
    );
  }

  read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]> {
    return this.#gate.batch(reads, signal, (good, both) =>
      this.#portions(good, both, async (portion, thread) => {
        const wanted = portion.map(({ key, into }) => ({ key, room: totalBytes(into) }));
        const answers = await thread.call({ operation: 'read', reads: wanted }, [], both);
        return answers.map((answer, i) => fill(answer, portion[i]!));
      }),
    );
  }

  write(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]> {
    return this.#gate.batch(writes, signal, (good, both) =>
      this.#portions(good, both, async (portion, thread) => {
        const largest = this.capabilities.largestValue;
        const tooLarge = ({ parts }: Write) => totalBytes(parts) > largest;
        const values = portion
          .filter((write) => !tooLarge(write))
          .map(({ key, parts }) => ({ key, value: whole(parts) }));
        const given = values.map(({ value }) => value.buffer);
        const results =
          values.length > 0 ? await thread.call({ operation: 'write', writes: values }, given, both) : [];
        let next = 0;
        return portion.map((write) =>
          tooLarge(write) ? failed('size', 'The value is larger than the plugin takes.') : results[next++]!,
        );
      }),
    );
  }

  async list(cursor: string | undefined, signal: AbortSignal): Promise<Listing> {
    const refuse = (reason: string) => failure('storage_failed', { backend: this.name, reason });
    if (!this.#gate.isOpen) throw refuse('It is not open.');
    const both = AbortSignal.any([signal, this.#gate.closing]);
    try {
      const thread = await this.#ready(both);
      if (!thread.capabilities.list) throw new Error('it cannot list what it holds');
      return await thread.call({ operation: 'list', cursor }, [], both);
    } catch (error) {
      throw refuse(this.#reason(error));
    }
  }

  #keys<R>(
    keys: readonly string[],
    signal: AbortSignal,
    ask: (thread: PluginThread, keys: string[], signal: AbortSignal) => Promise<R[]>,
  ): Promise<(R | Failed)[]> {
    return this.#gate.batch(keys.map(keyed), signal, (good, both) =>
      this.#portions(good, both, (portion, thread) =>
        ask(
          thread,
          portion.map(({ key }) => key),
          both,
        ),
      ),
    );
  }

  /** In calls as large as the plugin takes, one after the other. */
  async #portions<T, R>(
    items: readonly T[],
    signal: AbortSignal,
    work: (portion: readonly T[], thread: PluginThread) => Promise<R[]>,
  ): Promise<R[]> {
    const results: R[] = [];
    while (results.length < items.length) {
      const thread = await this.#ready(signal);
      const end = results.length + thread.capabilities.batch;
      results.push(...(await work(items.slice(results.length, end), thread)));
    }
    return results;
  }

  /** The thread, started again where it has ended. */
  #ready(signal: AbortSignal): Promise<PluginThread> {
    if (this.#thread && !this.#thread.hasEnded) return Promise.resolve(this.#thread);
    if (this.#refusal && systemClock.now() < this.#refusal.until) return Promise.reject(this.#refusal.error);
    const starting =
      this.#starting ?? this.#start(AbortSignal.any([this.#gate.closing, AbortSignal.timeout(RESTART_MS)]));
    return unlessAborted(starting, signal);
  }

  #start(signal: AbortSignal): Promise<PluginThread> {
    const both = AbortSignal.any([signal, this.#gate.closing]);
    const starting = this.#setup()
      .then((setup) => PluginThread.start(setup, both))
      .then(
        (thread) => {
          this.#thread = thread;
          return thread;
        },
        (error) => {
          this.#refusal = { error, until: systemClock.now() + PAUSE_MS };
          throw error;
        },
      )
      .finally(() => {
        this.#starting = undefined;
      });
    this.#starting = starting;
    // Also where nobody waits for it any more.
    starting.catch(() => undefined);
    return unlessAborted(starting, both);
  }

  #reason(error: unknown): string {
    return `${this.#plugin}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function fill({ result, value }: ReadAnswer, { into }: Read): ReadResult {
  if (value) scatter(result.status === 'hit' ? value.subarray(0, result.bytes) : value, into);
  return result;
}

/** A copy that can be given away. */
function whole(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(totalBytes(parts));
  let at = 0;
  for (const part of parts) {
    value.set(part, at);
    at += part.byteLength;
  }
  return value;
}
