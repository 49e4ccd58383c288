import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reporter, TestCase, TestModule, TestSpecification } from 'vitest/node';
import { placeOf } from './stack-of.ts';

/** Longer than any test, hook or import may take. */
const STUCK_MS = 300_000;
/** Longer than any hook may take: all tests of a file have ended then, and its process does not say so. */
const LOST_MS = 150_000;
const LOOK_EVERY_MS = 10_000;
/**
 * EX_TEMPFAIL: no test failed and no process is in code that never ends. So it is the runner that has lost a process, as
 * vitest 5.1 sometimes does, and the files that are left can be run by themselves.
 */
const LOST_CODE = 75;

interface Heard {
  time: number;
  at: string;
  /** Tests of the file without a result; undefined until it is known how many it has. */
  left: number | undefined;
}

/**
 * Ends a run in which a file has said nothing for minutes, and says where it is. A test that never gives its thread back
 * cannot be ended by its time limit, and the run would wait for it without a word.
 */
export default class StuckReporter implements Reporter {
  readonly #heardAt = new Map<string, Heard>();
  /** Files that have not ended, as the runner takes them for arguments. */
  readonly #unfinished = new Set<string>();
  #failed = false;
  #heardLast = 0;
  #looking: NodeJS.Timeout | undefined;

  // Of silence there is no event.
  onTestRunStart(specifications: readonly TestSpecification[]): void {
    for (const { moduleId } of specifications) this.#unfinished.add(path.relative(process.cwd(), moduleId));
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
    const heard = this.#heard(file, 'its first test');
    heard.left = [...file.children.allTests()].length;
  }

  onTestCaseReady(test: TestCase): void {
    this.#heard(test.module, test.fullName);
  }

  onTestCaseResult(test: TestCase): void {
    const heard = this.#heard(test.module, `what comes after ${test.fullName}`);
    if (heard.left !== undefined) heard.left--;
  }

  onTestModuleEnd(file: TestModule): void {
    this.#heard(file, 'its end');
    this.#heardAt.delete(file.relativeModuleId);
    this.#unfinished.delete(path.relative(process.cwd(), file.moduleId));
    if (!file.ok()) this.#failed = true;
  }

  #heard(file: TestModule, at: string): Heard {
    this.#heardLast = performance.now();
    const { left } = this.#heardAt.get(file.relativeModuleId) ?? {};
    const heard = { time: this.#heardLast, at, left };
    this.#heardAt.set(file.relativeModuleId, heard);
    return heard;
  }

  async #look(): Promise<void> {
    const now = performance.now();
    const isLost = ({ time, left }: Heard) => left === 0 && now - time > LOST_MS;
    const stuck = [...this.#heardAt].filter(([, heard]) => isLost(heard) || now - heard.time > STUCK_MS);
    if (stuck.length === 0 && now - this.#heardLast < STUCK_MS) return;
    clearInterval(this.#looking);
    if (stuck.length === 0) process.stderr.write('\nNothing from any file for minutes.\n');
    for (const [file, { at }] of stuck)
      process.stderr.write(`\nNothing from ${file} for minutes. It is at ${at}.\n`);
    let busy = false;
    for (const worker of childrenOf(process.pid)) {
      const { stack, waitsFor } = await placeOf(worker);
      process.stderr.write(`Process ${worker} waits for ${waitsFor ?? 'no event: it is busy'}\n${stack}\n`);
      busy ||= waitsFor === undefined;
      await end(worker);
    }
    process.exit(!busy && !this.#failed && this.#keepUnfinished() ? LOST_CODE : 1);
  }

  /** For who runs the rest: false when nobody asked for it. */
  #keepUnfinished(): boolean {
    const { TIERKV_UNFINISHED_TESTS: file } = process.env;
    if (file) writeFileSync(file, [...this.#unfinished].join('\n'));
    return Boolean(file);
  }
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
