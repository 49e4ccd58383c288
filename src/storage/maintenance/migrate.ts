import type { Clock } from '../../shared/clock.ts';
import type { StorageDriver, StorageError, StorageErrorKind } from '../driver.ts';
import type { Damage } from '../layers/integrity.ts';
import { type Entry, portions } from './listing.ts';
import { type PageOutcome, PageReader } from './page-reader.ts';
import { modelOf } from './pages.ts';
import { Patience } from './patience.ts';
import { RateLimit } from './rate-limit.ts';
import { INTERRUPTED, type KeyProblem, Trouble } from './trouble.ts';
import { workThrough } from './work-through.ts';

export interface MigrateReport {
  /** Pages that were written to the target, and their bytes. */
  copied: number;
  bytes: number;
  /** Pages that the target had; where they are verified, those of them that are good. */
  alreadyThere: number;
  /** Pages of the source that are damaged, which stay there, and how many for which reason. */
  damaged: number;
  reasons: Partial<Record<Damage, number>>;
  /** Pages that left the source after it listed them. */
  gone: number;
  /** Values of the source that are no pages. */
  others: number;
  /** Pages that could not be copied, and what was wrong with the first of them. */
  failedPages: number;
  failed: KeyProblem[];
  /** Why not every page was tried; null when all were. */
  problem: string | null;
}

export interface MigrateOptions {
  clock: Clock;
  signal: AbortSignal;
  /** Bytes in a second, at most, that are read from the source. */
  rate?: number | undefined;
  /** The fingerprint of the one model whose pages are copied; absent copies those of all. */
  model?: string | undefined;
  /** Whether every page is read back from the target, after it was written or where it is there already. */
  verify?: boolean | undefined;
  onProgress?: (done: Readonly<MigrateProgress>) => void;
}

interface MigrateProgress {
  /** Pages that are done with, whatever became of them. */
  pages: number;
  /** Of those that were copied. */
  bytes: number;
}

/** A page of the source, and whether the target says that it has it, which is not believed. */
interface Wanted extends Entry {
  isThere: boolean;
}

const PARALLEL = 16;
/** What failed is tried again when the rest is done, after so long. */
const AGAIN_AFTER_MS = [1_000, 5_000, 15_000];
/** More than these are not remembered, but left to the next run. */
const MOST_AGAIN = 100_000;
/** Another try would end in the same way. */
const FINAL: ReadonlySet<StorageErrorKind> = new Set<StorageErrorKind>(['size', 'denied', 'closed']);

/**
 * Copies the pages of one store to another that does not have them. Every page is checked before it is written, so what
 * is damaged is left behind; nothing is removed from the source. Servers may use both meanwhile: a key always stands for
 * the same page. Run again after whatever end, it goes on, since it looks first what the target has. Never rejects.
 *
 * @param source with every layer that changes values, and no namespace, like `target`, which need not be able to list
 */
export async function migrate(
  source: StorageDriver,
  target: StorageDriver,
  options: MigrateOptions,
): Promise<MigrateReport> {
  return new Migration(source, target, options).run();
}

class Migration {
  readonly #source: StorageDriver;
  readonly #target: StorageDriver;
  readonly #options: MigrateOptions;
  readonly #reader: PageReader;
  readonly #backReader: PageReader;
  readonly #rate: RateLimit;
  readonly #trouble = new Trouble();
  #patience: Patience;
  /** Aborts when the work ends, or this pass over the pages. */
  #signal: AbortSignal;
  readonly #counts = { copied: 0, bytes: 0, alreadyThere: 0, damaged: 0, gone: 0, others: 0 };
  readonly #reasons: Partial<Record<Damage, number>> = {};
  /** What failed and may do better later, by key. */
  readonly #again = new Map<string, { entry: Wanted; error: StorageError }>();

  constructor(source: StorageDriver, target: StorageDriver, options: MigrateOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#reader = new PageReader(source);
    this.#backReader = new PageReader(target);
    this.#rate = new RateLimit(options.clock, options.rate ?? Number.POSITIVE_INFINITY);
    this.#patience = new Patience(options.clock);
    this.#signal = AbortSignal.any([options.signal, this.#patience.over]);
  }

  async run(): Promise<MigrateReport> {
    const { clock, signal } = this.#options;
    try {
      await this.#bringAll(this.#wanted());
      if (this.#patience.over.aborted) this.#trouble.end(this.#patience.reason);
      for (const milliseconds of AGAIN_AFTER_MS) {
        if (this.#again.size === 0 || this.#signal.aborted) break;
        await clock.sleep(milliseconds, signal);
        // Those that never come follow each other now, which says nothing of the store.
        this.#patience = new Patience(clock);
        this.#signal = AbortSignal.any([signal, this.#patience.over]);
        await this.#bringAll([...this.#again.values()].map(({ entry }) => entry));
      }
    } catch (error) {
      this.#trouble.end(error);
    }
    for (const [key, { error }] of this.#again) this.#trouble.failure(key, error);
    return {
      ...this.#counts,
      reasons: this.#reasons,
      failedPages: this.#trouble.failed,
      failed: this.#trouble.shown,
      problem: this.#trouble.problem ?? (signal.aborted ? INTERRUPTED : null),
    };
  }

  /** The pages of the source that are not in the target, as it says, or does not answer; to be verified, all of them. */
  async *#wanted(): AsyncGenerator<Wanted> {
    const { batch } = this.#target.capabilities;
    for await (const portion of portions(this.#source, this.#signal)) {
      const pages = portion.filter(({ key }) => this.#isWanted(key));
      for (let i = 0; i < pages.length; i += batch) {
        const looked = pages.slice(i, i + batch);
        const keys = looked.map(({ key }) => key);
        const results = await this.#target.has(keys, this.#signal);
        if (this.#signal.aborted) return;
        const wanted = looked.map((entry, at) => ({ ...entry, isThere: results[at]?.status === 'hit' }));
        if (this.#options.verify) yield* wanted;
        else {
          const missing = wanted.filter(({ isThere }) => !isThere);
          this.#counts.alreadyThere += looked.length - missing.length;
          this.#tell();
          yield* missing;
        }
      }
    }
  }

  #isWanted(key: string): boolean {
    const model = modelOf(key);
    if (model === undefined) this.#counts.others++;
    return model !== undefined && (this.#options.model ?? model) === model;
  }

  #bringAll(entries: AsyncIterable<Wanted> | Iterable<Wanted>): Promise<void> {
    return workThrough(entries, PARALLEL, async (entry) => {
      await this.#patience.ready();
      if (this.#signal.aborted) return;
      const error = await this.#bring(entry);
      // What the end of the work cut short has not failed: the next run finds it.
      if (this.#signal.aborted && error) return;
      this.#again.delete(entry.key);
      if (error) this.#failed(entry, error);
      else this.#patience.well();
      this.#tell();
    });
  }

  /** Why a page is not in the target, and may be tried again. */
  async #bring(entry: Wanted): Promise<StorageError | undefined> {
    const there = entry.isThere ? await this.#lookAtTarget(entry) : 'gone';
    if (there === 'good') {
      this.#counts.alreadyThere++;
      return undefined;
    }
    if (typeof there === 'object') return there;
    const isInTheWay = there === 'damaged';
    return this.#reader.read(entry, this.#signal, (outcome) => this.#copy(entry.key, outcome, isInTheWay));
  }

  #lookAtTarget(entry: Entry): Promise<'good' | 'damaged' | 'gone' | StorageError> {
    return this.#backReader.read(entry, this.#signal, (outcome) =>
      outcome.kind === 'failed' ? outcome.error : outcome.kind,
    );
  }

  /** @param isInTheWay whether the target has a page that is damaged */
  async #copy(key: string, outcome: PageOutcome, isInTheWay: boolean): Promise<StorageError | undefined> {
    if (outcome.kind === 'failed') return outcome.error;
    if (outcome.kind === 'gone') {
      this.#counts.gone++;
      return undefined;
    }
    await this.#rate.take(outcome.bytes, this.#signal);
    if (outcome.kind === 'good') {
      // A store may leave alone what is there.
      const [removed] = isInTheWay ? await this.#target.remove([key], this.#signal) : [];
      if (removed?.status === 'error') return removed.error;
      return this.#write(key, outcome.parts, outcome.bytes);
    }
    this.#counts.damaged++;
    this.#reasons[outcome.reason] = (this.#reasons[outcome.reason] ?? 0) + 1;
    return undefined;
  }

  async #write(key: string, parts: readonly Uint8Array[], bytes: number): Promise<StorageError | undefined> {
    const [result] = await this.#target.write([{ key, parts }], this.#signal);
    if (result?.status !== 'stored' && result?.status !== 'exists') return result?.error ?? NO_ANSWER;
    const problem = this.#options.verify ? await this.#readBack({ key, bytes }) : undefined;
    if (problem) return problem;
    if (result.status === 'exists') this.#counts.alreadyThere++;
    else {
      this.#counts.copied++;
      this.#counts.bytes += bytes;
    }
    return undefined;
  }

  /** What is wrong with a page that was written. What is damaged is removed, or it would be taken for one that is there. */
  #readBack(entry: Entry): Promise<StorageError | undefined> {
    return this.#backReader.read(entry, this.#signal, async (outcome) => {
      if (outcome.kind === 'good') return undefined;
      if (outcome.kind === 'failed') return outcome.error;
      if (outcome.kind === 'gone') return { kind: 'io', message: 'It was written, and is not there.' };
      await this.#target.remove([entry.key], this.#options.signal);
      return { kind: 'corrupt', message: `It was written, and comes back damaged (${outcome.reason}).` };
    });
  }

  #failed(entry: Wanted, error: StorageError): void {
    const isFinal = FINAL.has(error.kind) || this.#again.size >= MOST_AGAIN;
    if (isFinal) this.#trouble.failure(entry.key, error);
    else this.#again.set(entry.key, { entry, error });
    this.#patience.failed(error, this.#signal);
  }

  #tell(): void {
    const { copied, bytes, alreadyThere, damaged, gone } = this.#counts;
    this.#options.onProgress?.({ pages: copied + alreadyThere + damaged + gone, bytes });
  }
}

const NO_ANSWER: StorageError = { kind: 'io', message: 'The store gave no answer.' };
