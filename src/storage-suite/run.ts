import { type Memory, runCase, Skipped } from './case.ts';
import { casesFor } from './cases.ts';
import type { SuiteOptions } from './options.ts';
import type { CaseReport, SuiteReport } from './report.ts';

/** Runs every case, one after the other, without a test runner. Never rejects: what is wrong is in the report. */
export async function runStorageSuite(options: SuiteOptions): Promise<SuiteReport> {
  const memory: Memory = { closeHangs: false, driver: undefined };
  const began = performance.now();
  const cases: CaseReport[] = [];
  for (const each of casesFor(options)) {
    const start = performance.now();
    const ended = await runCase(each, options, memory).then(
      () => ({ outcome: 'passed' as const }),
      (error: unknown) =>
        error instanceof Skipped
          ? { outcome: 'skipped' as const, reason: error.message }
          : { outcome: 'failed' as const, error },
    );
    const { group, name } = each;
    cases.push({ group, name, milliseconds: performance.now() - start, ...ended });
  }
  const count = (outcome: CaseReport['outcome']) => cases.filter((each) => each.outcome === outcome).length;
  return {
    name: options.name,
    driver: memory.driver && { name: memory.driver.name, capabilities: memory.driver.capabilities },
    cases,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    milliseconds: performance.now() - began,
  };
}
