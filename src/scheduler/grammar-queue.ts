import type { Engine, Grammar } from '../engine/engine.ts';
import type { Clock } from '../shared/clock.ts';
import { failure } from '../shared/errors.ts';

/** A grammar that takes longer than this is given up; the longest sensible ones take milliseconds. */
const COMPILE_DEADLINE_MS = 10_000;

/** Compiles grammars beside the step loop, one at a time, so that they never starve the decode of threads. */
export class GrammarQueue {
  readonly #engine: Engine;
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Grammars that wait or compile. */
  get size(): number {
    return this.#pending;
  }

  /**
   * Resolves with a grammar that the caller owns; rejects with `grammar_failed` or `deadline_exceeded`, and with
   * `aborted` when it is not wanted any more when its turn comes.
   */
  async compile(gbnf: string, wanted: () => boolean): Promise<Grammar> {
    this.#pending++;
    let late = false;
    const work = this.#last.then(() => {
      if (late || !wanted()) throw failure('aborted', undefined);
      return this.#engine.compileGrammar(gbnf);
    });
    const settled = work.catch(() => undefined).finally(() => this.#pending--);
    this.#last = settled;
    const timer = new AbortController();
    const outcome = await Promise.race([
      settled.then(() => 'settled' as const),
      this.#clock.sleep(COMPILE_DEADLINE_MS, timer.signal).then(() => 'late' as const),
    ]);
    timer.abort();
    if (outcome === 'late') {
      late = true;
      void work.then((grammar) => grammar.close()).catch(() => undefined);
      throw failure('deadline_exceeded', {
        what: 'Compiling the grammar',
        seconds: COMPILE_DEADLINE_MS / 1000,
      });
    }
    return work;
  }

  /** Resolves when nothing compiles any more. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
