import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { TestCase, TestModule, TestSpecification } from 'vitest/node';
import StuckReporter from '../support/stuck-reporter.ts';

const name = 'tests/a.test.ts';
const file = { moduleId: `${process.cwd()}/${name}`, relativeModuleId: name };
const module = file as unknown as TestModule;
const test = { module, fullName: 'one' } as unknown as TestCase;

let reporter: StuckReporter;
let ends: ReturnType<typeof vi.fn>;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  ends = vi.fn();
  vi.spyOn(process, 'exit').mockImplementation(ends as unknown as typeof process.exit);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  reporter = new StuckReporter();
  reporter.onTestRunStart([file as unknown as TestSpecification]);
});
afterEach(() => {
  reporter.onTestRunEnd();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Minutes in which nothing but the run itself is heard of. */
function pass(minutes: number): void {
  for (let i = 0; i < 6 * minutes; i++) {
    reporter.onTestModuleQueued({ moduleId: '/elsewhere' } as unknown as TestModule);
    vi.advanceTimersByTime(10_000);
  }
}

it('a file whose last test is told of after its end has ended', () => {
  reporter.onTestModuleQueued(module);
  reporter.onTestCaseReady(test);
  reporter.onTestModuleEnd(module);
  reporter.onTestCaseResult(test);
  pass(10);
  expect(process.stderr.write).not.toHaveBeenCalled();
  expect(ends).not.toHaveBeenCalled();
});

it('a file that says nothing more is named, and ends the run', async () => {
  reporter.onTestModuleQueued(module);
  reporter.onTestCaseReady(test);
  pass(6);
  expect(process.stderr.write).toHaveBeenCalledWith(
    expect.stringContaining('Nothing from tests/a.test.ts for minutes. It is at one.'),
  );
  await vi.waitFor(() => expect(ends).toHaveBeenCalledWith(1));
});
