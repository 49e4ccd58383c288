import { createHash, hash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../shared/cache-folder.ts';

const PORTION = 1 << 20;
/** The coarsest time that a file system keeps (FAT): within it a file can change and keep its time. */
const TIMES_ARE_COARSE_MS = 2_000;

/**
 * SHA-256 of a whole file, in hex. It is remembered in the cache folder for as long as the file is the same by path,
 * inode, size and times of change, so that the next call does not read it again. Not the time of modification alone:
 * copies that keep it would be taken for the file that they replaced.
 *
 * @param onBytes how many more bytes are done
 * @throws what reading threw; the signal's reason; an Error when the file changed meanwhile
 */
export async function hashFile(
  path: string,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const real = await realpath(path);
  const before = await stateOf(real);
  const known = await recall(real, before.state);
  if (known !== undefined) {
    onBytes(before.size);
    return known;
  }
  const sum = createHash('sha256');
  for await (const portion of createReadStream(real, { highWaterMark: PORTION, signal })) {
    sum.update(portion as Buffer);
    onBytes((portion as Buffer).length);
  }
  const digest = sum.digest('hex');
  if ((await stateOf(real)).state !== before.state) throw new Error('the file changed while it was read');
  if (Date.now() - before.changedMs > TIMES_ARE_COARSE_MS) await remember(real, before.state, digest);
  return digest;
}

/** What is different when a file is another one, or was changed. */
async function stateOf(path: string): Promise<{ state: string; size: number; changedMs: number }> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
  const state = [ino, size, mtimeNs, ctimeNs].join(' ');
  return { state, size: Number(size), changedMs: Number(ctimeNs / 1_000_000n) };
}

function noteOf(path: string): string {
  return join(cacheFolder(), 'file-hashes', hash('sha256', path, 'hex'));
}

async function recall(path: string, state: string): Promise<string | undefined> {
  const note = await readFile(noteOf(path), 'utf8').catch(() => '');
  const [itsPath, itsState, digest] = note.split('\n');
  if (itsPath !== path || itsState !== state || !/^[0-9a-f]{64}$/.test(digest ?? '')) return undefined;
  return digest;
}

/** Where nothing can be kept, the next start reads the file again: no reason to fail. */
async function remember(path: string, state: string, digest: string): Promise<void> {
  const note = noteOf(path);
  const temporary = `${note}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await mkdir(join(cacheFolder(), 'file-hashes'), { recursive: true });
    await writeFile(temporary, [path, state, digest, ''].join('\n'), { flag: 'wx' });
    await rename(temporary, note);
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
  }
}
