import { readdirSync, readFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { stackOf } from './stack-of.ts';

/** Longer than any test, hook or import may take. */
const STUCK_MS = 300_000;
const LOOK_EVERY_MS = 10_000;

/**
 * Ends a run in which a file has said nothing for minutes, and says where it is. A test that never gives its thread back
 * cannot be ended by its time limit, and the run would wait for it without a word.
 */
export default class StuckReporter implements Reporter {
  readonly #heardAt = new Map<string, { time: number; at: string }>();
  #heardLast = 0;
  #looking: NodeJS.Timeout | undefined;

  // Of silence there is no event.
  onTestRunStart(): void {
    this.#heardLast = performance.now();
    this.#looking = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
  }

  onTestRunEnd(): void {
    clearInterval(this.#looking);
  }

  onTestModuleQueued(file: TestModule): void {
    this.#heard(file, 'its imports, or its first test');
  }

  onTestCaseReady(test: TestCase): void {
    this.#heard(test.module, test.fullName);
  }

  onTestCaseResult(test: TestCase): void {
    this.#heard(test.module, `what comes after ${test.fullName}`);
  }

  onTestModuleEnd(file: TestModule): void {
    this.#heard(file, 'its end');
    this.#heardAt.delete(file.relativeModuleId);
  }

  #heard(file: TestModule, at: string): void {
    this.#heardLast = performance.now();
    this.#heardAt.set(file.relativeModuleId, { time: this.#heardLast, at });
  }

  async #look(): Promise<void> {
    const silentSince = performance.now() - STUCK_MS;
    const stuck = [...this.#heardAt].filter(([, { time }]) => time < silentSince);
    if (stuck.length === 0 && this.#heardLast > silentSince) return;
    clearInterval(this.#looking);
    if (stuck.length === 0)
      process.stderr.write(`\nNothing from any file for ${STUCK_MS / 60_000} minutes.\n`);
    for (const [file, { at }] of stuck)
      process.stderr.write(`\nNothing from ${file} for ${STUCK_MS / 60_000} minutes. It is at ${at}.\n`);
    for (const worker of childrenOf(process.pid)) {
      process.stderr.write(`Process ${worker}:\n${await stackOf(worker)}\n`);
      process.kill(worker, 'SIGKILL');
    }
    process.exit(1);
  }
}

/** Where the system tells: Linux. Elsewhere they end when they next look for this process. */
function childrenOf(pid: number): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}
