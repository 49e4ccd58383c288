import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { failure } from '../../shared/errors.ts';

/** The first four bytes of every GGUF file (ggml/docs/gguf.md). */
const MAGIC = 'GGUF';

/**
 * The GGUF file that `--model-path` means: the file itself, or the only model of a folder. Of a model in several
 * files (`…-00001-of-00003.gguf`) it is the first one, from which the library finds the others.
 *
 * @throws `model_file`
 */
export async function resolveModelPath(given: string): Promise<string> {
  const full = path.resolve(given);
  const entry = await stat(full).catch(() => undefined);
  if (!entry) throw failure('model_file', { path: given, reason: 'there is no such file' });
  if (!entry.isDirectory()) return full;
  const files = (await readdir(full)).filter((name) => name.endsWith('.gguf')).sort();
  const models = files.filter((name) => !/-(?!00001)\d{5}-of-\d{5}\.gguf$/.test(name));
  const [only] = models;
  if (!only) throw failure('model_file', { path: given, reason: 'the folder holds no .gguf file' });
  if (models.length > 1) {
    throw failure('model_file', {
      path: given,
      reason: `the folder holds several models: ${models.join(', ')}`,
    });
  }
  return path.join(full, only);
}

/** All files of a model, by the name of the first: `…-00001-of-00003.gguf` stands for three. */
export function modelFiles(first: string): string[] {
  const [, prefix, total] = /^(.*)-00001-of-(\d{5})\.gguf$/s.exec(first) ?? [];
  if (prefix === undefined || total === undefined) return [first];
  return Array.from(
    { length: Math.max(1, Number(total)) },
    (_, i) => `${prefix}-${String(i + 1).padStart(5, '0')}-of-${total}.gguf`,
  );
}

/** Says what is wrong with a file that is no GGUF file, in words better than the library's. */
export async function checkModelFile(file: string): Promise<void> {
  const fail = (reason: string, cause?: unknown) => failure('model_file', { path: file, reason }, { cause });
  const handle = await open(file).catch((cause: NodeJS.ErrnoException) => {
    throw fail(cause.code === 'ENOENT' ? 'there is no such file' : `cannot be read (${cause.code})`, cause);
  });
  try {
    const entry = await handle.stat();
    if (entry.isDirectory()) throw fail('this is a folder');
    if (entry.size === 0) throw fail('the file is empty');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
    if (bytesRead < MAGIC.length || buffer.toString('latin1') !== MAGIC)
      throw fail('this is not a GGUF file');
  } finally {
    await handle.close();
  }
}
