import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { describe } from 'vitest';

/** Where Debian keeps what is meant for administrators, too. */
const FOLDERS = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];

/** The path of an installed program, or undefined. */
export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => path.join(folder, name)).find(isExecutable);
}

/**
 * Tests that need programs which npm does not bring. Where one is missing they are skipped, with a line that says how
 * to get it; in CI they fail.
 *
 * @param packages of Debian, which bring the programs
 */
export function describeWith(
  programs: readonly string[],
  packages: string,
  name: string,
  tests: () => void,
): void {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) return void describe(name, tests);
  const how = `${missing.join(', ')} is not installed: apt-get install ${packages}`;
  if (process.env.CI) throw new Error(how);
  describe.skip(`${name} (skipped, ${how})`, tests);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
