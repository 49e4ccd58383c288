import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const JAVASCRIPT = ['.js', '.mjs'];
const TYPESCRIPT = ['.ts', '.mts'];

/** A URL, or what Node would look for among its own modules. */
const SPECIFIER = /^[a-z][a-z0-9+.-]*:/i;

/**
 * What is wrong with a module's path whatever the files are; undefined where that is nothing.
 *
 * @param folder absolute
 */
export function problemOfPath(folder: string, modulePath: string): string | undefined {
  if (SPECIFIER.test(modulePath) || modulePath.includes('\0')) return 'must be a path of a file, not a URL';
  const extensions = process.features.typescript ? [...JAVASCRIPT, ...TYPESCRIPT] : JAVASCRIPT;
  if (!extensions.includes(path.extname(modulePath)))
    return `must be an ES module, which ends in ${extensions.join(', ')}`;
  return isBelow(folder, path.resolve(folder, modulePath)) ? undefined : outside();
}

/**
 * Finds a module, which must lie in the folder when all links are followed, and be a file.
 *
 * @param folder absolute
 * @returns its `file:` URL; rejects with an error that says what is wrong with `module_path`
 */
export async function locateModule(folder: string, modulePath: string): Promise<string> {
  const file = await realpath(path.resolve(folder, modulePath)).catch(() => undefined);
  if (file === undefined) throw new Error("'module_path' names no file that can be read");
  if (!isBelow(await realpath(folder), file)) throw new Error(`'module_path' ${outside()}`);
  if (!(await stat(file)).isFile()) throw new Error("'module_path' names no file");
  const problem = problemOfPath(path.dirname(file), file);
  if (problem) throw new Error(`'module_path' ${problem}`);
  return pathToFileURL(file).href;
}

function isBelow(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return (
    relative !== '' &&
    relative !== '..' &&
    !relative.startsWith(`..${path.sep}`) &&
    !path.isAbsolute(relative)
  );
}

function outside(): string {
  return 'must lie below the folder of --hicache-dynamic-backend-dir, also when links are followed';
}
