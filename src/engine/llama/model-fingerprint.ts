import { hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { Failure, failure } from '../../shared/errors.ts';
import { hashFile } from './file-hash.ts';
import { checkModelFile, modelFiles } from './model-file.ts';
import { hashSamples } from './model-samples.ts';

/** Raise this when the same model shall get another fingerprint: then no page that was kept before is found. */
const VERSION = 1;

/** How much of the weights is read: blocks of every tensor, which any training changes, or every byte. */
export type FingerprintMode = 'sample' | 'full';

export interface FingerprintOptions {
  signal?: AbortSignal;
  /** The share of the work that is done, 0 to 1. */
  onProgress?: (fraction: number) => void;
}

/**
 * Names what decides a page's bytes besides its tokens: the weights, the architecture with its metadata, and what the
 * caller adds. Two servers with the same fingerprint can use each other's pages. Where the files lie, what they are
 * called and when they were written does not matter. The two modes give one model two names.
 *
 * @param path the model, of several files the first one
 * @param parts what else decides the bytes: types of K and V, page size, rope settings, state format. Their order does
 *   not matter.
 * @returns 64 lower-case hexadecimal digits
 * @throws `model_file`; the signal's reason
 */
export async function modelFingerprint(
  path: string,
  mode: FingerprintMode,
  parts: Readonly<Record<string, string | number>>,
  { signal, onProgress = () => {} }: FingerprintOptions = {},
): Promise<string> {
  const files = modelFiles(path);
  const sizes = await Promise.all(files.map(sizeOf));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let done = 0;
  const digests: string[] = [];
  for (const [i, file] of files.entries()) {
    signal?.throwIfAborted();
    const start = done;
    const report = (bytes: number) => {
      done = bytes;
      onProgress(Math.min(1, done / total));
    };
    const size = sizes[i]!;
    digests.push(
      await (mode === 'full'
        ? hashFile(file, signal, (bytes) => report(done + bytes))
        : hashSamples(file, signal, (fraction) => report(start + fraction * size))
      ).catch((cause: unknown) => {
        throw readFailure(file, signal, cause);
      }),
    );
  }
  const ordered = Object.entries(parts).sort(([one], [other]) => (one < other ? -1 : 1));
  return hash('sha256', JSON.stringify([VERSION, mode, ordered, sizes, digests]), 'hex');
}

async function sizeOf(file: string): Promise<number> {
  await checkModelFile(file);
  return (await stat(file)).size;
}

function readFailure(path: string, signal: AbortSignal | undefined, cause: unknown): unknown {
  if (signal?.aborted) return signal.reason;
  if (cause instanceof Failure) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  return failure('model_file', { path, reason: code ? `cannot be read (${code})` : message }, { cause });
}
