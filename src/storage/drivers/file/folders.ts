import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from './file-errors.ts';

// Pages are made of prompts: they are their owner's.
export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

/** As `mkdir -p`. Node's own goes round for ever where the system says that a folder's parent is not there, as in /proc. */
export async function makeFolder(folder: string): Promise<void> {
  const make = async () => {
    try {
      await mkdir(folder, { mode: FOLDER_MODE });
    } catch (error) {
      const isThere = codeOf(error) === 'EEXIST' && (await stat(folder)).isDirectory();
      if (!isThere) throw error;
    }
  };
  try {
    await make();
  } catch (error) {
    const parent = path.dirname(folder);
    if (codeOf(error) !== 'ENOENT' || parent === folder) throw error;
    await makeFolder(parent);
    await make();
  }
}
