import { toFailure } from '../../shared/errors.ts';
import type { StorageError } from '../driver.ts';

/** What reports say of work that was ended from outside. */
export const INTERRUPTED = 'it was interrupted';

export interface KeyProblem {
  key: string;
  /** `kind: message`. */
  reason: string;
}

/** Enough to see what is wrong. */
const SHOWN = 100;

/** What went wrong, for a report. */
export class Trouble {
  /** With single pages: the first ones. */
  readonly shown: KeyProblem[] = [];
  #failed = 0;
  #problem: string | undefined;

  /** Pages that failed. */
  get failed(): number {
    return this.#failed;
  }

  failure(key: string, error: StorageError): void {
    this.#failed++;
    if (this.shown.length < SHOWN) this.shown.push({ key, reason: textOf(error) });
  }

  /** Why the work ended before it was done; null while it has not. The first reason stays. */
  get problem(): string | null {
    return this.#problem ?? null;
  }

  end(problem: unknown): void {
    this.#problem ??= typeof problem === 'string' ? problem : toFailure(problem).message;
  }
}

export function textOf({ kind, message }: StorageError): string {
  return `${kind}: ${message}`;
}
