import { stat } from 'node:fs/promises';
import path from 'node:path';
import { failure } from '../shared/errors.ts';

/** The absolute path of the folder that a flag names; undefined where it is not given. Throws `bad_option`. */
export async function existingFolder(flag: string, given: string | undefined): Promise<string | undefined> {
  if (given === undefined) return undefined;
  const folder = path.resolve(given);
  const found = await stat(folder).catch(() => undefined);
  if (given !== '' && found?.isDirectory()) return folder;
  throw failure('bad_option', { reason: `${flag}: there is no folder '${given}'.` });
}
