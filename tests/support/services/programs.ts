import { describe } from 'vitest';
import { findProgram } from './find-program.ts';

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
