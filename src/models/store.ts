import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../shared/cache-folder.ts';
import { writeGguf } from './gguf-writer.ts';
import { fingerprint, type ModelName, model } from './recipes.ts';

/** The folder of generated models. */
export function modelsFolder(): string {
  return join(cacheFolder(), 'models');
}

/** Where a model is kept. Another recipe has another path, so an old file is never taken for a new one. */
export function modelPath(name: ModelName): string {
  return join(modelsFolder(), `${name}-${fingerprint(name)}.gguf`);
}

const making = new Map<string, Promise<void>>();

async function make(name: ModelName, path: string, onProgress?: (fraction: number) => void): Promise<void> {
  await mkdir(modelsFolder(), { recursive: true });
  await writeGguf(path, model(name), onProgress);
}

/**
 * Makes a model's file when it is missing, and returns its path.
 *
 * Calls at once in one process share the work. Two processes both do it, and the second replaces the first's
 * file by the same bytes; a reader that has the first one open keeps it.
 *
 * @param options.onProgress the written share, 0 to 1; not called when there is nothing to do, or when an
 *   earlier call is already making the file
 */
export async function ensureModel(
  name: ModelName,
  options: { onProgress?: (fraction: number) => void } = {},
): Promise<string> {
  const path = modelPath(name);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists) return path;
  let work = making.get(path);
  if (!work) {
    work = make(name, path, options.onProgress).finally(() => making.delete(path));
    making.set(path, work);
  }
  await work;
  return path;
}
