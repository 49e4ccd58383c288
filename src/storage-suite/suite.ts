import { type Memory, runCase, Skipped } from './case.ts';
import { casesFor } from './cases.ts';
import { DEFAULT_LIMIT_MS, type SuiteOptions } from './options.ts';

/** What a test runner gives its tests, as far as the suite uses it: vitest and node:test both do. */
interface TestContext {
  skip?(reason: string): void;
}

/** The functions of a test runner, as vitest, node:test and others have them. */
export interface TestRunner {
  /**
   * @param timeout in milliseconds, for runners whose own limit would otherwise be shorter than the suite's. Others do
   *   not look at it
   */
  test(name: string, run: (context?: TestContext) => Promise<void>, timeout: number): unknown;
  describe?(name: string, tests: () => void): unknown;
}

/**
 * Registers every case as a test of a runner. What does not apply to the driver is skipped with the reason where the
 * runner lets a running test say so, and passes where it does not.
 */
export function storageSuite(options: SuiteOptions, { test, describe }: TestRunner): void {
  const memory: Memory = { closeHangs: false, driver: undefined };
  const limitMs = options.limitMs ?? DEFAULT_LIMIT_MS;
  const prefix = describe ? '' : `${options.name}: `;
  const register = () => {
    for (const each of casesFor(options)) {
      const run = async (context?: TestContext) => {
        try {
          await runCase(each, options, memory);
        } catch (error) {
          if (!(error instanceof Skipped)) throw error;
          context?.skip?.(error.message);
        }
      };
      test(`${prefix}${each.group}: ${each.name}`, run, 3 * limitMs);
    }
  };
  if (describe) describe(options.name, register);
  else register();
}
