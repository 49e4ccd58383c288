import { toFailure } from '../../shared/errors.ts';
import type { StorageError } from '../driver.ts';

export interface KeyProblem {
  key: string;
  /** `kind: message`. */
  reason: string;
}

/** What reports say of work that was ended from outside. */
export const INTERRUPTED = 'it was interrupted';

/** A store that does so much wrong is not asked for the rest, each page of which would wait for a deadline. */
const FAILURES_IN_A_ROW = 64;
/** Enough to see what is wrong. */
const SHOWN = 100;

/** What went wrong with single pages, and whether to go on. */
export class Trouble {
  /** The first ones. */
  readonly shown: KeyProblem[] = [];
  readonly #enough = new AbortController();
  #failed = 0;
  #inARow = 0;
  #problem: string | undefined;

  get failed(): number {
    return this.#failed;
  }

  /** Why the work ended early; undefined while it has not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Aborts when it makes no sense to go on. */
  get enough(): AbortSignal {
    return this.#enough.signal;
  }

  /** A page did not fail. */
  well(): void {
    this.#inARow = 0;
  }

  /** A page failed, and may be tried again. */
  setback(error: StorageError): void {
    if (++this.#inARow >= FAILURES_IN_A_ROW)
      this.end(`${this.#inARow} failures in a row, the last: ${textOf(error)}`);
  }

  /** A page has failed for good. */
  failure(key: string, error: StorageError): void {
    this.#failed++;
    if (this.shown.length < SHOWN) this.shown.push({ key, reason: textOf(error) });
  }

  /** Ends the work for another reason, such as a list that fails. The first reason stays. */
  end(problem: unknown): void {
    this.#problem ??= typeof problem === 'string' ? problem : toFailure(problem).message;
    this.#enough.abort();
  }
}

export function textOf({ kind, message }: StorageError): string {
  return `${kind}: ${message}`;
}
