import { stat } from 'node:fs/promises';
import type { Database, RootDatabase } from 'lmdb';
import { keyedLock, limiter } from '../../concurrency.ts';
import { codeOf } from '../file/file-errors.ts';
import { FILE_MODE } from '../file/folders.ts';
import { checkDataFile } from './data-file.ts';

/** What is known of a value: its length, and its place in the order of use. */
export type Fact = [bytes: number, use: number];
export interface State {
  usedBytes: number;
  /** The next place in the order of use. */
  nextUse: number;
}

/**
 * A data file that is open. A process has one for all who use the file: a second one would begin a transaction on this
 * thread while one of the first may hold the file's lock and wait for this thread.
 */
export class LmdbEnvironment {
  readonly file: string;
  readonly inode: number | undefined;
  /** How many have it open. */
  users = 1;
  readonly values: Database<Buffer, string>;
  readonly facts: Database<Fact | State, string>;
  /** Keys by their place in the order of use, the least recently used first. */
  readonly uses: Database<string, number>;
  readonly #root: RootDatabase<Buffer, string>;
  /** Transactions that wait in lmdb would be carried out in one turn of this thread, however many they are. */
  readonly #turn = limiter(1);
  #flushed: Promise<unknown> = Promise.resolve();

  /** @param root the environment's own from now on */
  constructor(root: RootDatabase<Buffer, string>, file: string, inode: number | undefined) {
    this.#root = root;
    this.file = file;
    this.inode = inode;
    this.values = root.openDB('values', { encoding: 'binary' });
    this.facts = root.openDB('facts', { encoding: 'json' });
    this.uses = root.openDB('uses', { encoding: 'string' });
  }

  /** Lets the next look see what was committed since, here or by another process. */
  refresh(): void {
    this.#root.resetReadTxn();
  }

  /** In a transaction. */
  forgetDeadReaders(): void {
    this.#root.readerCheck();
  }

  /** Resolves when all that has been committed until now is on the disk; never, if the disk refuses. */
  get flushed(): Promise<unknown> {
    return this.#flushed;
  }

  /** Resolves when the transactions that were asked for have ended and are on the disk; never, if the disk refuses. */
  async settled(): Promise<void> {
    await this.#turn(async () => undefined);
    await this.#flushed;
  }

  /**
   * Carries out the work in one transaction, which is committed in any case. Throws what the work does, or why the commit
   * failed.
   *
   * @param before in the same turn, but not yet in the transaction
   */
  transaction<T>(work: () => T, signal?: AbortSignal, before?: () => Promise<void>): Promise<T> {
    return this.#turn(async () => {
      await before?.();
      let isCommitted = true;
      try {
        return await this.#root.transaction(work);
      } catch (error) {
        if (error instanceof Error && 'commitError' in error) {
          isCommitted = false;
          // It is rejected with the reason.
          await error.commitError;
        }
        throw error;
      } finally {
        // After a commit that failed, lmdb's promise of a flush is never kept.
        if (isCommitted) this.#flushed = Promise.allSettled([this.#flushed, this.#root.flushed]);
      }
    }, signal);
  }

  /** When nobody uses it any more, and what it committed is on the disk. */
  async close(): Promise<void> {
    // Otherwise it would wait for the flush of the last commit once more, also of one that failed.
    Object.assign(this.#root, { _endWrites: () => Promise.resolve() });
    await this.#root.close();
  }
}

/** Of this process, by their files. */
const opened = new Map<string, LmdbEnvironment>();
const lock = keyedLock();

/**
 * Each one that opens it closes it with {@link closeEnvironment}.
 *
 * @param file its real path
 * @throws what is wrong with the file, in words, or the system's error, or lmdb's
 */
export function openEnvironment(file: string): Promise<LmdbEnvironment> {
  return lock(file, async () => {
    const known = opened.get(file);
    if (known) {
      // Both would go by the same lock file, which knows of transactions of one of them.
      if (known.inode !== (await inodeOf(file)))
        throw new Error('it is not the file that is in use here under this name: detach that one first');
      known.users++;
      return known;
    }
    await checkDataFile(file);
    const { open } = await import('lmdb');
    // The mode is missing in lmdb's types.
    const mode: object = { permissionsMode: FILE_MODE };
    const root = open<Buffer, string>({
      ...mode,
      path: file,
      noSubdir: true,
      encoding: 'binary',
      // It makes a promise that nobody can get, and that is rejected when a commit fails.
      eventTurnBatching: false,
    });
    try {
      const environment = new LmdbEnvironment(root, file, await inodeOf(file));
      opened.set(file, environment);
      return environment;
    } catch (error) {
      await root.close();
      throw error;
    }
  });
}

export async function closeEnvironment(environment: LmdbEnvironment): Promise<void> {
  environment.users--;
  if (environment.users > 0) return;
  await environment.settled();
  await lock(environment.file, async () => {
    // It may have been opened again meanwhile, and closed.
    if (environment.users > 0 || opened.get(environment.file) !== environment) return;
    opened.delete(environment.file);
    await environment.close();
  });
}

async function inodeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).ino;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
