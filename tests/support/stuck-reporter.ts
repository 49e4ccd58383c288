import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reporter, TestCase, TestModule, TestSpecification } from 'vitest/node';
import { placeOf } from './stack-of.ts';

/** Longer than any test, hook or import may take. */
const STUCK_MS = 300_000;
const LOOK_EVERY_MS = 10_000;

interface Heard {
  time: number;
  at: string;
}

/**
 * Ends a run in which a file has said nothing for minutes, and says where it is. A test that never gives its thread back
 * cannot be ended by its time limit, and the run would wait for it without a word.
 */
export default class StuckReporter implements Reporter {
  readonly #heardAt = new Map<string, Heard>();
  readonly #unfinished = new Set<string>();
  #heardLast = 0;
  #looking: NodeJS.Timeout | undefined;

  // Of silence there is no event.
  onTestRunStart(specifications: readonly TestSpecification[]): void {
    for (const file of specifications) this.#unfinished.add(nameOf(file));
    this.#heardLast = performance.now();
    this.#looking = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
  }

  onTestRunEnd(): void {
    clearInterval(this.#looking);
  }

  onTestModuleQueued(file: TestModule): void {
    this.#heard(file, 'its imports, or its first test');
  }

  onTestModuleCollected(file: TestModule): void {
    this.#heard(file, 'its first test');
  }

  onTestCaseReady(test: TestCase): void {
    this.#heard(test.module, test.fullName);
  }

  onTestCaseResult(test: TestCase): void {
    this.#heard(test.module, `what comes after ${test.fullName}`);
  }

  onTestModuleEnd(file: TestModule): void {
    this.#heardLast = performance.now();
    this.#heardAt.delete(nameOf(file));
    this.#unfinished.delete(nameOf(file));
  }

  /** What is told of tests can come after the end of their file. */
  #heard(file: TestModule, at: string): void {
    this.#heardLast = performance.now();
    if (this.#unfinished.has(nameOf(file))) this.#heardAt.set(nameOf(file), { time: this.#heardLast, at });
  }

  async #look(): Promise<void> {
    const now = performance.now();
    const stuck = [...this.#heardAt].filter(([, { time }]) => now - time > STUCK_MS);
    if (stuck.length === 0 && now - this.#heardLast < STUCK_MS) return;
    clearInterval(this.#looking);
    if (stuck.length === 0) process.stderr.write('\nNothing from any file for minutes.\n');
    for (const [file, { at }] of stuck)
      process.stderr.write(`\nNothing from ${file} for minutes. It is at ${at}.\n`);
    for (const worker of childrenOf(process.pid)) {
      const { stack, waitsFor } = await placeOf(worker);
      process.stderr.write(
        `Process ${worker} waits for ${waitsFor ?? 'no event: it computes, or stands in native code'}\n${stack}\n`,
      );
      await end(worker);
    }
    process.exit(1);
  }
}

function nameOf({ moduleId }: { moduleId: string }): string {
  return path.relative(process.cwd(), moduleId);
}

/** Resolves when it is gone: it may hold the port at which the next one is to be asked. */
async function end(pid: number): Promise<void> {
  try {
    for (;;) {
      process.kill(pid, 'SIGKILL');
      await sleep(50);
    }
  } catch {
    // There is no such process any more.
  }
}

/** Where the system tells: Linux. Elsewhere they end when they next look for this process. */
function childrenOf(pid: number): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}
