import { lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { closeFile, statOpen } from './descriptors.ts';
import { isAbsent } from './file-errors.ts';
import { createFile } from './page-file.ts';
import { isStale, releaseWriterName, takeWriterName, writerOf } from './writer-names.ts';

/**
 * Processes that write to one namespace tell each other by empty files in a folder of it, `<writer>.<bytes>.new`: until
 * the file is replaced, its writer may write so many bytes. Whoever comes later marks it by calling it `.seen`.
 */

export const CLAIMS_FOLDER = '.writers';

const NAME = /^\.(\d+)\.(new|seen)$/;

/** What all other writers may write. */
interface OtherClaims {
  count: number;
  bytes: number;
}

/** `seen`: somebody came after it. `gone`: it was taken for a dead one's. */
export type ClaimState = 'new' | 'seen' | 'gone';

/** Whether a file in the {@link CLAIMS_FOLDER} is a claim. */
export function isClaim(file: string): boolean {
  return bytesOf(file) !== undefined;
}

/** One process's word that it may write so many bytes. */
export class Claim {
  readonly bytes: number;
  readonly #folders: readonly string[];
  readonly #writer = takeWriterName();
  /** By folder, when its file was made, by the clock that the other files there have their times from. */
  readonly #made = new Map<string, number>();

  private constructor(folders: readonly string[], bytes: number) {
    this.#folders = folders;
    this.bytes = bytes;
  }

  /** Throws the system's error, and leaves nothing behind then. */
  static async announce(root: string, namespaces: Iterable<string>, bytes: number): Promise<Claim> {
    const folders = Array.from(namespaces, (namespace) => path.join(root, namespace, CLAIMS_FOLDER));
    const claim = new Claim(folders, bytes);
    try {
      for (const folder of folders) await claim.#announceIn(folder);
    } catch (error) {
      await claim.withdraw();
      throw error;
    }
    return claim;
  }

  /**
   * Marks the claims of others as seen, and removes those of dead writers. Throws the system's error.
   *
   * @param mine those that are not another's
   */
  async others(mine: ReadonlySet<Claim>): Promise<OtherClaims> {
    const own = new Set([...mine].map((claim) => claim.#writer));
    const claims = new Map<string, number>();
    for (const folder of this.#folders) {
      for (const file of await readdir(folder)) {
        const [writer, bytes] = [writerOf(file), bytesOf(file)];
        if (writer === undefined || bytes === undefined || own.has(writer)) continue;
        if (await this.#isAlive(folder, writer, bytes)) claims.set(writer, bytes);
      }
    }
    return { count: claims.size, bytes: [...claims.values()].reduce((sum, bytes) => sum + bytes, 0) };
  }

  /** Asks the file system. Throws its error. */
  async state(): Promise<ClaimState> {
    let state: ClaimState = 'new';
    for (const folder of this.#folders) {
      if (await exists(this.#file(folder, 'new'))) continue;
      if (!(await exists(this.#file(folder, 'seen')))) return 'gone';
      state = 'seen';
    }
    return state;
  }

  /** Nothing is written under it any more. What cannot be removed now is a dead one's from now on. Never rejects. */
  async withdraw(): Promise<void> {
    for (const folder of this.#folders)
      for (const state of ['new', 'seen'] as const) await unlink(this.#file(folder, state)).catch(() => {});
    releaseWriterName(this.#writer);
  }

  async #announceIn(folder: string): Promise<void> {
    const descriptor = await createFile(this.#file(folder, 'new'));
    try {
      this.#made.set(folder, (await statOpen(descriptor)).mtimeMs);
    } finally {
      await closeFile(descriptor);
    }
  }

  async #isAlive(folder: string, writer: string, bytes: number): Promise<boolean> {
    const file = path.join(folder, `${writer}.${bytes}.seen`);
    await rename(path.join(folder, `${writer}.${bytes}.new`), file).catch(throwUnlessAbsent);
    const stats = await lstat(file).catch(throwUnlessAbsent);
    // Replaced since the folder was read, by one that may not have been there: what was begun under it may go on.
    if (!stats) return true;
    if (!isStale(path.basename(file), stats.mtimeMs, this.#made.get(folder) ?? 0)) return true;
    await unlink(file).catch(throwUnlessAbsent);
    return false;
  }

  #file(folder: string, state: 'new' | 'seen'): string {
    return path.join(folder, `${this.#writer}.${this.bytes}.${state}`);
  }
}

/** Opens it: of all questions the one that a file system over a network does not answer from memory. */
async function exists(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(throwUnlessAbsent);
  await handle?.close();
  return handle !== undefined;
}

function bytesOf(file: string): number | undefined {
  const writer = writerOf(file);
  const [, bytes] = (writer !== undefined && NAME.exec(file.slice(writer.length))) || [];
  return bytes === undefined ? undefined : Number(bytes);
}

function throwUnlessAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
}
