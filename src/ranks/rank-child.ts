import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { rankEnvironment } from './rank-environment.ts';

/** Lines that the library said last before its process died. */
const LAST_WORDS = 8;

/** One life of a rank's process. */
export class RankChild {
  readonly #process: ChildProcess;
  #lastWords: string[] = [];
  /** Resolves when the process has ended, or could not be started. */
  readonly exited: Promise<void>;

  /** @param address where the process finds its server */
  constructor(address: string, log: Logger) {
    // The sources run as they are; the published package holds them compiled.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const child = fork(fileURLToPath(new URL(`./rank-process.${extension}`, import.meta.url)), {
      env: rankEnvironment(address),
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.#process = child;
    this.exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    // llama.cpp writes to stderr; a callback into JavaScript could stall its threads.
    if (!child.stderr) return;
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lastWords = [...this.#lastWords, line].slice(-LAST_WORDS);
      log.debug({ native: line }, 'llama.cpp');
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** How it ended, and what it said last. */
  get end(): { exitCode: number | null; signal: string | null; lastWords: readonly string[] } {
    const { exitCode, signalCode } = this.#process;
    return { exitCode, signal: signalCode, lastWords: this.#lastWords };
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
